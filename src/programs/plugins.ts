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

const isFaults = (result: PluginCatalogue | ReadonlyArray<Fault>): result is ReadonlyArray<Fault> =>
  Array.isArray(result)

const refuse = (faults: ReadonlyArray<Fault>) => Effect.fail(new StartError({ faults, exitCode: 2 }))

/** One of one's own replaces a built-in of the same name. */
export const pluginsLayer = (mine: ReadonlyArray<Plugin> = []): Layer.Layer<Plugins, StartError, Settings> =>
  Layer.effect(
    Plugins,
    Effect.gen(function* () {
      const faults = faultsOf(mine)
      if (faults.length > 0) return yield* refuse(faults)
      const known: PluginCatalogue =
        mine.length === 0
          ? builtinCatalogue
          : new Map([...builtinCatalogue, ...mine.map((own) => [own.name, own] as const)])
      const enabled = enabledOf(known, (yield* Settings).plugins)
      return isFaults(enabled) ? yield* refuse(enabled) : enabled
    })
  )
