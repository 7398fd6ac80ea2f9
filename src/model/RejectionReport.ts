/**
 * What a data plane tells a control plane that asks why a configuration was refused: reference `hybrid-protocol-v1.md`
 * §7. The names, sources and codes are those of the original, for whoever reads them knows no others.
 */
import { entityByName } from "./Entities.ts"
import { type Fault, formatFault } from "./Fault.ts"
import { zeroHash } from "./Snapshot.ts"
import type { EntityErrors, ErrorReport } from "./Wire.ts"

const parseFailure = {
  name: "declarative configuration parse failure",
  source: "kong.db.declarative.parse_table",
  code: 14
}

/** A configuration that is wrong in every row must not make a report beyond the largest payload. */
const toldMax = 100

/** A tree that follows the paths of the faults: `{ services: { "1": { port: "expected …" } } }`. */
interface FaultTree {
  readonly [part: string]: string | FaultTree
}

const grow = (tree: FaultTree, path: ReadonlyArray<string | number>, message: string): FaultTree => {
  const [first = "@entity", ...rest] = path
  const known = tree[first]
  const below = typeof known === "object" ? known : {}
  return { ...tree, [first]: rest.length === 0 ? message : grow(below, rest, message) }
}

/** Faults of one row become one entry, as the original flattens them. */
const flatten = (faults: ReadonlyArray<Fault>): ReadonlyArray<EntityErrors> => {
  const byRow = new Map<string, { readonly type: string; readonly errors: Array<EntityErrors["errors"][number]> }>()
  for (const { path, message } of faults) {
    const [section, index, ...field] = path
    const entity = typeof section === "string" ? entityByName.get(section) : undefined
    if (entity === undefined || index === undefined) continue
    const key = `${section} ${index}`
    const row = byRow.get(key) ?? { type: entity.singular, errors: [] }
    row.errors.push(
      field.length === 0 ? { type: "entity", message } : { type: "field", field: field.join("."), message }
    )
    byRow.set(key, row)
  }
  return [...byRow.values()].map(({ type, errors }) => ({ entity_type: type, errors }))
}

export const rejectionReport = (rejection: {
  readonly hash: string | undefined
  readonly faults: ReadonlyArray<Fault>
}): ErrorReport => {
  const told = rejection.faults.slice(0, toldMax)
  const untold = rejection.faults.length - told.length
  return {
    ...parseFailure,
    message: [...told.map(formatFault), ...(untold === 0 ? [] : [`and ${untold} more`])].join("; "),
    config_hash: rejection.hash ?? zeroHash,
    fields: told.reduce<FaultTree>((tree, { path, message }) => grow(tree, path, message), {}),
    flattened_errors: flatten(told)
  }
}
