/** Configurations whose one route has plugins, and plugins that are written down where they are tested. */
import type { CompiledConfig } from "../../../src/model/CompiledConfig.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { definePlugin, type Plugin, type PluginHandler } from "../../../src/model/plugin/Plugin.ts"
import { catalogueOf } from "../../../src/model/plugin/PluginCatalogue.ts"
import { builtinPlugins } from "../../../src/programs/builtinPlugins.ts"
import { configOf, id } from "./support.ts"

export const plugin = (name: string, handler: PluginHandler, priority = 1000): Plugin =>
  definePlugin({ name, priority, schema: { fields: {} }, handler: () => handler })

/** One service, one route, and every plugin that is given applied to all. */
export const behind = (port: number, plugins: ReadonlyArray<Plugin>, rows: Row = {}): CompiledConfig =>
  configOf(
    {
      services: [{ id: id(1), name: "s", host: "127.0.0.1", port, connect_timeout: 2000 }],
      routes: [{ id: id(2), name: "r", service: id(1), paths: ["/"] }],
      plugins: plugins.map(({ name }, index) => ({ id: id(100 + index), name })),
      ...rows
    },
    catalogueOf([...builtinPlugins, ...plugins])
  )

/** Two consumers with a key each, and what stands for nobody. */
export const people: Row = {
  consumers: [
    { id: id(50), username: "bob", custom_id: "b-1" },
    { id: id(51), username: "Zoë" },
    { id: id(52), username: "anonymous" }
  ],
  keyauth_credentials: [
    { id: id(60), consumer: id(50), key: "bob-key" },
    { id: id(61), consumer: id(51), key: "schlüssel" }
  ]
}

/** A configuration with a row of `key-auth` for everything. */
export const guarded = (port: number, config: Row = {}, rows: Row = {}): CompiledConfig =>
  behind(port, [], { ...people, plugins: [{ id: id(100), name: "key-auth", config }], ...rows })
