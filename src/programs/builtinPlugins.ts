/** The plugins that come with Holdfast, one folder each in `src/plugins/`. */
import type { Plugin } from "../model/plugin/Plugin.ts"
import { catalogueOf } from "../model/plugin/PluginCatalogue.ts"
import { correlationId } from "../plugins/correlation-id/index.ts"
import { keyAuth } from "../plugins/key-auth/index.ts"
import { requestTermination } from "../plugins/request-termination/index.ts"

export const builtinPlugins: ReadonlyArray<Plugin> = [keyAuth, requestTermination, correlationId]

/** One value for all nodes of a process: what is worked out by it can be shared. */
export const builtinCatalogue = catalogueOf(builtinPlugins)
