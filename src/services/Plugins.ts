/** The plugins that this process serves: what configurations are judged by, what data planes announce, what requests go through. */
import { Context } from "effect"
import type { PluginCatalogue } from "../model/plugin/PluginCatalogue.ts"

export class Plugins extends Context.Service<Plugins, PluginCatalogue>()("holdfast/services/Plugins") {}
