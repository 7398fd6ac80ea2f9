/** Makes the compiled config out of a validated table. A custom gateway swaps this service to route its own way. */
import { Context } from "effect"
import type { CompiledConfig } from "../model/CompiledConfig.ts"
import type { ConfigTable } from "../model/ConfigTable.ts"
import type { PluginCatalogue } from "../model/plugin/PluginCatalogue.ts"

export class Router extends Context.Service<
  Router,
  {
    /** Pure, and free to throw only on a defect: a table that passed validation compiles. */
    readonly compile: (table: ConfigTable, plugins: PluginCatalogue) => CompiledConfig
  }
>()("holdfast/services/Router") {}
