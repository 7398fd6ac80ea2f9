/** Makes the compiled config out of a validated table. A custom gateway swaps this service to route its own way. */
import { Context } from "effect"
import type { CompiledConfig } from "../model/CompiledConfig.ts"
import type { ConfigTable } from "../model/ConfigTable.ts"
import type { PluginCatalogue } from "../model/plugin/PluginCatalogue.ts"

export class Router extends Context.Service<
  Router,
  {
    /**
     * Pure. A table that passed validation compiles, unless a plugin's handler can't be made: then this throws
     * `PluginsRefused`, for nothing may be served without. Whatever else it throws is a defect.
     */
    readonly compile: (table: ConfigTable, plugins: PluginCatalogue) => CompiledConfig
  }
>()("holdfast/services/Router") {}
