/** Which plugins a program serves: its own, those of whoever embeds it, and of both what the setting `plugins` enables. */
import { Effect, Layer } from "effect"
import type { Fault } from "../model/Fault.ts"
import type { Plugin } from "../model/plugin/Plugin.ts"
import { enabledOf, type PluginCatalogue } from "../model/plugin/PluginCatalogue.ts"
import { isPluginName } from "../model/SettingTypes.ts"
import { Plugins } from "../services/Plugins.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"
import { builtinCatalogue } from "./builtinPlugins.ts"

/** An embedder's mistakes: told like those of settings, for they are made in the same call. */
const faultsOf = (mine: ReadonlyArray<Plugin>): ReadonlyArray<Fault> =>
  mine.flatMap(({ name }, index) => {
    const at = (message: string): Fault => ({ path: ["plugins", index, "name"], message, value: name })
    if (!isPluginName(name)) return [at("expected a name of lower-case letters and digits, with '-' or '_' between")]
    return mine.findIndex((other) => other.name === name) < index ? [at("expected each name once")] : []
  })

/** A configuration that names one of them is refused: that a node of Kong's settings starts all the same costs no safety. */
const tellUnknown = (names: ReadonlyArray<string>) =>
  names.length === 0
    ? Effect.void
    : Effect.logWarning("plugins that are not known here are not enabled").pipe(Effect.annotateLogs({ plugins: names }))

/** One of one's own replaces a built-in of the same name. */
export const pluginsLayer = (mine: ReadonlyArray<Plugin> = []): Layer.Layer<Plugins, StartError, Settings> =>
  Layer.effect(
    Plugins,
    Effect.gen(function* () {
      const faults = faultsOf(mine)
      if (faults.length > 0) return yield* new StartError({ faults, exitCode: 2 })
      const own = mine.map((plugin) => [plugin.name, plugin] as const)
      const known: PluginCatalogue = own.length === 0 ? builtinCatalogue : new Map([...builtinCatalogue, ...own])
      const { plugins, unknown } = enabledOf(known, (yield* Settings).plugins)
      yield* tellUnknown(unknown)
      return plugins
    })
  )
