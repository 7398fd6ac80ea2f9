/** One process in one role, until a signal ends it. */
import { Effect, Layer } from "effect"
import { consoleLog } from "../layers/ConsoleLog.ts"
import { readSettings } from "../layers/EnvironmentSettings.ts"
import { formatFault } from "../model/Fault.ts"
import type { ParsedSettings } from "../model/parseSettings.ts"
import type { SettingValues } from "../model/SettingTable.ts"
import { settingNotices } from "../model/settingNotices.ts"
import { Settings } from "../services/Settings.ts"
import type { StartError } from "../services/StartError.ts"
import type { RunCommand } from "./Command.ts"

type Role = SettingValues["role"]

/** Each role is loaded alone: a data plane never pays for the control plane's store. */
const loadRole: Readonly<Record<Role, () => Promise<Layer.Layer<never, StartError, Settings>>>> = {
  data_plane: async () => (await import("./DataPlane.ts")).DataPlane.layerFromSettings(),
  control_plane: async () => (await import("./ControlPlane.ts")).ControlPlane.layerFromSettings()
}

const sayUnserved = Effect.fnUntraced(function* ({ values, unknownKong, unknownHoldfast }: ParsedSettings) {
  for (const notice of settingNotices(values)) {
    yield* Effect.logWarning("setting not served").pipe(Effect.annotateLogs({ setting: formatFault(notice) }))
  }
  if (unknownHoldfast.length > 0) {
    yield* Effect.logWarning("unknown settings, perhaps misspelt", {
      settings: unknownHoldfast.map((name) => `HOLDFAST_${name.toUpperCase()}`)
    })
  }
  if (unknownKong.length > 0)
    yield* Effect.logDebug("settings of Kong's that mean nothing here", { settings: unknownKong })
})

export const runDaemon =
  (role?: Role): RunCommand =>
  ({ flags, env }) =>
    Effect.gen(function* () {
      const parsed = yield* readSettings({
        env,
        ...(typeof flags.conf === "string" ? { file: flags.conf } : {}),
        ...(role === undefined ? {} : { command: { role } })
      })
      const settings = Layer.succeed(Settings, parsed.values)
      const program = yield* Effect.promise(loadRole[parsed.values.role])
      const surroundings = Layer.provideMerge(consoleLog, settings)
      const main = Layer.effectDiscard(sayUnserved(parsed)).pipe(Layer.merge(program), Layer.provide(surroundings))
      return yield* Layer.launch(main)
    })
