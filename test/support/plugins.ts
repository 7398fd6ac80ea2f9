/** Plugins by their real schemas, whose handlers take part in nothing: for what is decided before any request comes. */
import { Layer } from "effect"
import type { Fields } from "../../src/model/Field.ts"
import { definePlugin, type Plugin, type PluginSchema } from "../../src/model/plugin/Plugin.ts"
import { catalogueOf } from "../../src/model/plugin/PluginCatalogue.ts"
import { correlationIdSchema } from "../../src/plugins/correlation-id/schema.ts"
import { keyAuthSchema } from "../../src/plugins/key-auth/schema.ts"
import { requestTerminationSchema } from "../../src/plugins/request-termination/schema.ts"
import { Plugins } from "../../src/services/Plugins.ts"

export const idle = <F extends Fields>(name: string, schema: PluginSchema<F>, priority = 0): Plugin =>
  definePlugin({ name, priority, schema, handler: () => ({}) })

export const idlePlugins: ReadonlyArray<Plugin> = [
  idle("key-auth", keyAuthSchema, 1250),
  idle("request-termination", requestTerminationSchema, 2),
  idle("correlation-id", correlationIdSchema, 100001)
]

export const testCatalogue = catalogueOf(idlePlugins)

export const testPlugins = Layer.succeed(Plugins, testCatalogue)
