/**
 * The config table: the whole configuration of a node, validated. References between rows are bare ids that exist.
 * Rules: reference `config-model.md` §1 and §3; what is known but not served, `DESIGN.md` "The surface".
 */
import * as E from "./Entities.ts"
import { type Entity, ignoredKeys, isRecord, type Row, shownValue, shownValues } from "./Entity.ts"
import { type Fault, within } from "./Fault.ts"
import { hides } from "./Field.ts"
import { makeDecodeRow, type PluginCatalogue } from "./plugin/PluginCatalogue.ts"

export interface ConfigTable {
  readonly workspaces: ReadonlyArray<E.Workspace>
  readonly certificates: ReadonlyArray<E.Certificate>
  readonly ca_certificates: ReadonlyArray<E.CaCertificate>
  readonly services: ReadonlyArray<E.Service>
  readonly routes: ReadonlyArray<E.Route>
  readonly snis: ReadonlyArray<E.Sni>
  readonly upstreams: ReadonlyArray<E.Upstream>
  readonly targets: ReadonlyArray<E.Target>
  readonly consumers: ReadonlyArray<E.Consumer>
  readonly plugins: ReadonlyArray<E.PluginRow>
  readonly keyauth_credentials: ReadonlyArray<E.KeyauthCredential>
  readonly parameters: ReadonlyArray<E.Parameter>
  readonly licenses: ReadonlyArray<E.LicenseRow>
}

export const emptyTable: ConfigTable = {
  workspaces: [],
  certificates: [],
  ca_certificates: [],
  services: [],
  routes: [],
  snis: [],
  upstreams: [],
  targets: [],
  consumers: [],
  plugins: [],
  keyauth_credentials: [],
  parameters: [],
  licenses: []
}

/** The newest declarative format; the older two are accepted and migrated (`config-model.md` §4.1). */
export const formatVersion = "3.0"
const formatVersions: ReadonlySet<unknown> = new Set(["1.1", "2.1", formatVersion])

export type DecodedTable =
  | {
      readonly _tag: "Right"
      readonly table: ConfigTable
      /** Kong's entities that are present but not served, by name. */
      readonly notServed: ReadonlyArray<string>
    }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

export const provenanceKey = "_holdfast"
const envelopeKeys: ReadonlySet<string> = new Set([...ignoredKeys, "_format_version", "_transform", provenanceKey])

const sectionOf = (value: unknown): ReadonlyArray<unknown> | undefined =>
  value === null || value === undefined
    ? []
    : Array.isArray(value)
      ? value
      : isRecord(value) && Object.keys(value).length === 0
        ? []
        : undefined

const label = (entity: Entity, row: unknown): string | undefined => {
  if (!isRecord(row)) return undefined
  const key = entity.endpointKey
  const isShown = key !== undefined && !hides(entity.fields[key] ?? {})
  // A plugin is known by its name before its id, though the name is no key.
  const named = (isShown ? row[key] : undefined) ?? (entity.name === "plugins" ? row.name : undefined)
  const found = named ?? row[entity.primaryKey]
  return typeof found === "string" ? found : undefined
}

/** Names the row that a fault is about, where the row has a name and the fault doesn't tell it anyhow. */
const named = (entity: Entity, index: number, row: unknown, fault: Fault): Fault => {
  const found = label(entity, row)
  return within(
    entity.name,
    index
  )(
    found === undefined || fault.message.includes(`'${found}'`)
      ? fault
      : { ...fault, message: `${fault.message} (${entity.singular} "${found}")` }
  )
}

/** A regular expression in a route's path, before 3.0, was whatever is not a plain path (`config-model.md` §4.1). */
const migratePaths = (row: Row): Row =>
  Array.isArray(row.paths)
    ? {
        ...row,
        paths: row.paths.map((path: unknown) =>
          typeof path === "string" && !path.startsWith("~") && /[^A-Za-z0-9._~/%-]/.test(path) ? `~${path}` : path
        )
      }
    : row

/** `{id}` objects are tolerated where a bare id belongs (`config-model.md` §1.1). */
const bareReferences = (entity: Entity, row: Row): Row => {
  const objects = entity.references.filter(
    ({ field }) => isRecord(row[field]) && typeof (row[field] as Row).id === "string"
  )
  return objects.length === 0
    ? row
    : { ...row, ...Object.fromEntries(objects.map(({ field }) => [field, (row[field] as Row).id])) }
}

/** `strict` for whoever writes a configuration; `tolerant` for whoever receives one, and must serve what can be served. */
export type Strictness = "strict" | "tolerant"

const counting = (strictness: Strictness, faults: ReadonlyArray<Fault>): ReadonlyArray<Fault> =>
  strictness === "strict"
    ? faults
    : faults.filter(({ path: [section] }) => E.entityByName.get(String(section))?.isTolerated !== true)

/**
 * Validates a whole config table for a process that serves the plugins of `catalogue`. Nothing is accepted unless everything is right; all faults are told. Of the entities
 * that are tolerated, only the rows that are right are in the table then.
 */
export const decodeTable = (
  input: unknown,
  catalogue: PluginCatalogue,
  strictness: Strictness = "tolerant"
): DecodedTable => {
  if (!isRecord(input))
    return { _tag: "Wrong", faults: [{ path: [], message: "expected a config table object", value: input }] }
  const faults: Array<Fault> = []
  const version = input._format_version
  if (!formatVersions.has(version)) {
    faults.push({
      path: ["_format_version"],
      message: `expected one of ${[...formatVersions].map((v) => `"${v}"`).join(", ")}`,
      value: version ?? null
    })
  }
  const isOld = version !== formatVersion
  const notServed: Array<string> = []
  for (const key of Object.keys(input)) {
    if (envelopeKeys.has(key) || E.entityByName.has(key)) continue
    if (E.knownButNotServed.has(key)) {
      if ((sectionOf(input[key]) ?? []).length > 0) notServed.push(key)
    } else faults.push({ path: [key], message: "unknown entity" })
  }

  const decode = makeDecodeRow(catalogue)
  const rows: Record<string, Array<Row>> = {}
  for (const entity of E.entities) {
    const section = sectionOf(input[entity.name])
    const decoded: Array<Row> = []
    rows[entity.name] = decoded
    if (section === undefined) {
      const message = `expected an array of ${entity.name}`
      faults.push({ path: [entity.name], message, ...shownValue(entity, input[entity.name]) })
      continue
    }
    section.forEach((raw, index) => {
      const prepared = isRecord(raw)
        ? bareReferences(entity, isOld && entity === (E.routes as unknown) ? migratePaths(raw) : raw)
        : raw
      const result = decode(entity, prepared)
      if (result._tag === "Right") decoded.push(result.row)
      else faults.push(...result.faults.map((fault) => named(entity, index, raw, fault)))
    })
  }
  const wrong = counting(strictness, faults)
  if (wrong.length > 0) return { _tag: "Wrong", faults: wrong }
  const resolved = resolveReferences(rows)
  const unresolved = counting(strictness, resolved.faults)
  return unresolved.length > 0
    ? { _tag: "Wrong", faults: unresolved }
    : { _tag: "Right", table: resolved.rows as unknown as ConfigTable, notServed }
}

interface Index {
  readonly byId: ReadonlyMap<unknown, Row>
  readonly byEndpoint: ReadonlyMap<unknown, Row>
}

const indexRows = (
  entity: Entity,
  rows: ReadonlyArray<Row>
): { readonly index: Index; readonly faults: ReadonlyArray<Fault> } => {
  const faults: Array<Fault> = []
  const unique = (fields: ReadonlyArray<string>): ReadonlyMap<unknown, Row> => {
    const seen = new Map<unknown, Row>()
    rows.forEach((row, at) => {
      const values = fields.map((field) => row[field] ?? null)
      if (values.length === 1 && values[0] === null) return
      const key = values.length === 1 ? values[0] : JSON.stringify(values)
      if (seen.has(key)) {
        faults.push({
          path: [entity.name, at],
          message: `uniqueness violation: '${entity.name}' entity with ${fields.join(", ")} set to '${shownValues(entity, row, fields).join(", ")}' already declared`
        })
      } else seen.set(key, row)
    })
    return seen
  }
  const byId = unique([entity.primaryKey])
  const maps = entity.unique.map((fields) => [fields, unique(fields)] as const)
  const byEndpoint = maps.find(([fields]) => fields.length === 1 && fields[0] === entity.endpointKey)?.[1] ?? new Map()
  return { index: { byId, byEndpoint }, faults }
}

/** A string is first the endpoint key, then the id, of what it refers to (`config-model.md` §1.1). */
const resolveReferences = (rows: Record<string, Array<Row>>) => {
  const faults: Array<Fault> = []
  const indexes = new Map<string, Index>()
  const resolved: Record<string, ReadonlyArray<Row>> = {}
  for (const entity of E.entities) {
    const own = rows[entity.name] ?? []
    const linked = own.map((row, at) => {
      const links: Record<string, unknown> = {}
      for (const { field, to } of entity.references) {
        const value = row[field]
        if (value === null || value === undefined) continue
        const target = indexes.get(to)
        const found = target?.byEndpoint.get(value) ?? target?.byId.get(value)
        if (found === undefined) {
          faults.push({
            path: [entity.name, at, field],
            message: `invalid reference '${field}: ${String(value)}' (no such entry in '${to}')`
          })
        } else links[field] = found.id
      }
      return Object.keys(links).length === 0 ? row : { ...row, ...links }
    })
    const { index, faults: found } = indexRows(entity, linked)
    faults.push(...found)
    indexes.set(entity.name, index)
    resolved[entity.name] = linked
  }
  return { rows: resolved, faults }
}

const holdsNothingBut = (input: Row, names: ReadonlyArray<string>): boolean =>
  Object.keys(input).every(
    (key) => envelopeKeys.has(key) || names.includes(key) || (sectionOf(input[key]) ?? [undefined]).length === 0
  )

/** True when a table holds what every control plane has before anybody wrote anything: a workspace and the cluster's id (§14.4). */
export const isFreshTable = (input: Row): boolean => holdsNothingBut(input, ["workspaces", "parameters"])

/** True when a table holds nothing but workspaces: Kong calls that an empty configuration (`hybrid-protocol-v1.md` §6.9). */
export const isEmptyTable = (input: Row): boolean => holdsNothingBut(input, ["workspaces"])
