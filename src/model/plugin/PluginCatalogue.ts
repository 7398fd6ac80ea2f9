/**
 * The plugins that a process serves, by name, and what their rows may say. A row's `config` is judged by its plugin's
 * schema with the machinery of all entities: defaults are filled, absent nullable fields become null, all faults are told
 * at once, and no value of a sensitive field in any of them. Rules: reference `config-model.md` §3 and §6.
 */
import { plugins } from "../Entities.ts"
import { type Decoded, decodeRow, define, type Entity, isRecord, type Row } from "../Entity.ts"
import { type Fault, within } from "../Fault.ts"
import type { Fields } from "../Field.ts"
import type { Plugin, PluginSchema } from "./Plugin.ts"

export type PluginCatalogue = ReadonlyMap<string, Plugin>

/** Of a process that serves no plugin: every configuration that names one is refused. */
export const noPlugins: PluginCatalogue = new Map()

/** Of two with one name the later one counts. */
export const catalogueOf = (plugins: ReadonlyArray<Plugin>): PluginCatalogue =>
  new Map(plugins.map((plugin) => [plugin.name, plugin]))

/** What the setting `plugins` means all of. */
const all = "bundled"

export interface Enabled {
  readonly plugins: PluginCatalogue
  /** Named by the setting, and not among those that the program knows. */
  readonly unknown: ReadonlyArray<string>
}

/** What the setting `plugins` enables of the plugins that a program knows. */
export const enabledOf = (known: PluginCatalogue, names: ReadonlyArray<string>): Enabled => ({
  plugins: names.includes(all) ? known : new Map([...known].filter(([name]) => names.includes(name))),
  unknown: names.filter((name) => name !== all && !known.has(name))
})

/** A plugin's config as an entity without a name of its own: so that forms, merges and faults treat it as any. */
export const configEntity = ({ fields, check, expand }: PluginSchema): Entity =>
  define({
    name: "config",
    singular: "config",
    fields,
    ...(check === undefined ? {} : { check: check as never }),
    ...(expand === undefined ? {} : { expand })
  }) as unknown as Entity

/** The fields of a row of `plugins` whose plugin is known: with those of its config. */
export const rowFields = (catalogue: PluginCatalogue, name: unknown): Fields => {
  const found = typeof name === "string" ? catalogue.get(name) : undefined
  if (found === undefined) return plugins.fields
  return { ...plugins.fields, config: { ...plugins.fields.config, shape: "record", fields: found.schema.fields } }
}

/** In Kong's words (reference `config-model.md` §3). */
export const notEnabled = (name: string): string =>
  `plugin '${name}' not enabled; add it to the 'plugins' configuration property`

const scopeFaults = ({ name, schema }: Plugin, row: Row): ReadonlyArray<Fault> =>
  (schema.neverScopedBy ?? [])
    .filter((scope) => row[scope] !== null && row[scope] !== undefined)
    .map((scope) => ({ path: [scope], message: `expected no value: ${name} is never bound to a ${scope}` }))

interface Judged {
  /** Filled; empty where something is wrong. */
  readonly config: Row
  readonly faults: ReadonlyArray<Fault>
}

/** What a row says about its plugin, whether or not all else in the row is right. */
const makeJudge = (catalogue: PluginCatalogue): ((row: Row) => Judged) => {
  const entities = new Map<string, Entity>()
  const entityOf = ({ name, schema }: Plugin): Entity => {
    const entity = entities.get(name) ?? configEntity(schema)
    entities.set(name, entity)
    return entity
  }
  return (row) => {
    const plugin = typeof row.name === "string" ? catalogue.get(row.name) : undefined
    if (plugin === undefined) {
      const faults = typeof row.name === "string" ? [{ path: ["name"], message: notEnabled(row.name) }] : []
      return { config: {}, faults }
    }
    const scopes = scopeFaults(plugin, row)
    const config = decodeRow(entityOf(plugin), row.config ?? {})
    return config._tag === "Right"
      ? { config: config.row, faults: scopes }
      : { config: {}, faults: [...scopes, ...config.faults.map(within("config"))] }
  }
}

export type DecodeRow = (entity: Entity, input: unknown) => Decoded<Row>

/**
 * Judges rows of every kind, those of `plugins` by their plugins' schemas as well. What is made of a schema is made once for
 * each plugin, however many rows are judged: one of these is for a whole table, or for the life of a process.
 */
export const makeDecodeRow = (catalogue: PluginCatalogue): DecodeRow => {
  const judge = makeJudge(catalogue)
  return (entity, input) => {
    const decoded = decodeRow(entity, input)
    if (entity.name !== plugins.name || !isRecord(input)) return decoded
    const { config, faults } = judge(input)
    if (decoded._tag === "Wrong") return { _tag: "Wrong", faults: [...decoded.faults, ...faults] }
    return faults.length > 0 ? { _tag: "Wrong", faults } : { _tag: "Right", row: { ...decoded.row, config } }
  }
}
