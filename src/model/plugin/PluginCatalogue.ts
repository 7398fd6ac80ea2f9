/**
 * The plugins that a process serves, by name, and what their rows may say. A row's `config` is judged by its plugin's
 * schema with the machinery of all entities: defaults are filled, absent nullable fields become null, all faults are told
 * at once, and no value of a sensitive field in any of them. Rules: reference `config-model.md` §3 and §6.
 */
import { plugins } from "../Entities.ts"
import { type Decoded, decodeRow, define, type Entity, type Row } from "../Entity.ts"
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

/** Those of the known that the setting `plugins` enables, or what it names and nobody knows. */
export const enabledOf = (
  known: PluginCatalogue,
  names: ReadonlyArray<string>
): PluginCatalogue | ReadonlyArray<Fault> => {
  const asked = names.filter((name) => name !== all)
  const faults = asked
    .filter((name) => !known.has(name))
    .map((name) => ({
      path: ["plugins"],
      message: `expected bundled, off, or some of ${[...known.keys()].join(", ") || "none: this program has no plugins"}`,
      value: name
    }))
  if (faults.length > 0) return faults
  if (names.includes(all)) return known
  return new Map([...known].filter(([name]) => asked.includes(name)))
}

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

const notEnabled = (name: unknown): Fault => ({
  path: ["name"],
  message: `plugin '${String(name)}' not enabled; add it to the 'plugins' configuration property`
})

const scopeFaults = ({ name, schema }: Plugin, row: Row): ReadonlyArray<Fault> =>
  (schema.neverScopedBy ?? [])
    .filter((scope) => row[scope] !== null && row[scope] !== undefined)
    .map((scope) => ({ path: [scope], message: `expected no value: ${name} is never bound to a ${scope}` }))

const wrong = (...faults: ReadonlyArray<Fault>): Decoded<Row> => ({ _tag: "Wrong", faults })

/** Judges what is right as a row of `plugins` by its plugin, and fills its config. */
type DecodePlugin = (row: Row) => Decoded<Row>

const makeDecodePlugin = (catalogue: PluginCatalogue): DecodePlugin => {
  const entities = new Map<string, Entity>()
  const entityOf = ({ name, schema }: Plugin): Entity => {
    const entity = entities.get(name) ?? configEntity(schema)
    entities.set(name, entity)
    return entity
  }
  return (row) => {
    const plugin = typeof row.name === "string" ? catalogue.get(row.name) : undefined
    if (plugin === undefined) return wrong(notEnabled(row.name))
    const scopes = scopeFaults(plugin, row)
    const config = decodeRow(entityOf(plugin), row.config ?? {})
    if (config._tag === "Wrong") return wrong(...scopes, ...config.faults.map(within("config")))
    return scopes.length > 0 ? wrong(...scopes) : { _tag: "Right", row: { ...row, config: config.row } }
  }
}

export type DecodeRow = (entity: Entity, input: unknown) => Decoded<Row>

/**
 * Judges rows of every kind, those of `plugins` by their plugins' schemas as well. What is made of a schema is made once for
 * each plugin, however many rows are judged: one of these is for a whole table, or for the life of a process.
 */
export const makeDecodeRow = (catalogue: PluginCatalogue): DecodeRow => {
  const decodePlugin = makeDecodePlugin(catalogue)
  return (entity, input) => {
    const decoded = decodeRow(entity, input)
    return decoded._tag === "Right" && entity.name === plugins.name ? decodePlugin(decoded.row) : decoded
  }
}
