/**
 * A whole configuration in place of another, inside one transaction. Rows that are as they were keep their times, so
 * that the same document given twice changes nothing and is pushed to nobody.
 */
import { isDeepStrictEqual } from "node:util"
import { Clock, Effect } from "effect"
import { stamped } from "../../model/AdminRow.ts"
import { isWithoutEntities, keptUnlessNamed } from "../../model/declarativeDocument.ts"
import { entities, entityByName } from "../../model/Entities.ts"
import type { Entity, Row } from "../../model/Entity.ts"
import type { StoredRows } from "../../model/exportTable.ts"
import { type Fault, within } from "../../model/Fault.ts"
import { withMomentOfExpiry } from "../../model/Ttl.ts"
import { WriteRefused } from "../../services/control/ConfigStore.ts"
import type { Ids } from "../../services/control/Ids.ts"
import { withGenerated } from "./generated.ts"
import { onWrite } from "./onWrite.ts"
import type { Rows } from "./rows.ts"
import { indispensable } from "./writes.ts"

const keyOf = ({ endpointKey, primaryKey }: Entity): string => endpointKey ?? primaryKey

/** The rows that every configuration carries stay when the new one doesn't name them, and so does what belongs to none. */
const withKept = (given: StoredRows, former: StoredRows): StoredRows => {
  const all = new Map(given)
  for (const kind of keptUnlessNamed) if (!given.has(kind)) all.set(kind, former.get(kind) ?? [])
  for (const { entity: kind, name } of indispensable) {
    const entity = entityByName.get(kind)
    const rows = given.get(kind) ?? []
    if (entity === undefined || rows.some((row) => row[keyOf(entity)] === name)) continue
    all.set(kind, [...(former.get(kind) ?? []).filter((row) => row[keyOf(entity)] === name), ...rows])
  }
  return all
}

/** As it will be read back: absent values are gone, and nothing is left but JSON. */
const asStored = (row: Row): Row => JSON.parse(JSON.stringify(row)) as Row

/** Times that the document gives stand; a row without them keeps those it had unless something else changed. */
const timed = (entity: Entity, row: Row, former: Row | undefined, nowMs: number): Row => {
  const now = stamped(entity, {}, nowMs)
  const at = (field: string, value: unknown) => (Object.hasOwn(entity.fields, field) ? { [field]: value } : {})
  const kept = asStored({
    ...row,
    ...at("created_at", row.created_at ?? former?.created_at ?? now.created_at),
    ...at("updated_at", row.updated_at ?? former?.updated_at ?? now.updated_at)
  })
  const isSame = (row.updated_at ?? null) !== null || former === undefined || isDeepStrictEqual(kept, former)
  return isSame ? kept : { ...kept, ...at("updated_at", now.updated_at) }
}

/** Every row as it is stored, and what only a look into its certificates can find. */
const settleAll = Effect.fnUntraced(function* (
  ids: Ids["Service"],
  given: StoredRows,
  former: StoredRows,
  nowMs: number
) {
  const faults: Array<Fault> = []
  const settled = new Map<string, ReadonlyArray<Row>>()
  for (const entity of entities) {
    const known = new Map((former.get(entity.name) ?? []).map((row) => [row[entity.primaryKey], row]))
    const rows: Array<Row> = []
    for (const [index, row] of (given.get(entity.name) ?? []).entries()) {
      const before = known.get(row[entity.primaryKey])
      const prepared = onWrite(entity, yield* withGenerated(ids, entity, row, before), nowMs)
      faults.push(...prepared.faults.map(within(entity.name, index)))
      rows.push(withMomentOfExpiry(timed(entity, prepared.row, before, nowMs)))
    }
    if (rows.length > 0) settled.set(entity.name, rows)
  }
  return { faults, settled }
})

/** True when it changed anything. */
export const makeReplaceAll = (rows: Rows, ids: Ids["Service"]) =>
  Effect.fnUntraced(function* (given: StoredRows, mayEmpty: boolean) {
    const former = yield* rows.all
    const { faults, settled } = yield* settleAll(ids, withKept(given, former), former, yield* Clock.currentTimeMillis)
    if (faults.length > 0) return yield* new WriteRefused({ refusal: { _tag: "InvalidDeclarative", faults } })
    if (!mayEmpty && isWithoutEntities(settled) && !isWithoutEntities(former)) {
      return yield* new WriteRefused({ refusal: { _tag: "WouldEmpty" } })
    }
    if (isDeepStrictEqual(settled, former)) return false
    yield* rows.clear
    yield* rows.insertAll(
      entities.flatMap((entity) => (settled.get(entity.name) ?? []).map((row) => [entity, row] as const))
    )
    return true
  })
