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
import type { DataPlaneParts } from "./dataPlaneParts.ts"
import * as Hangup from "./hangup.ts"
import { type Heard, hear } from "./heardSignals.ts"
import * as LogRotation from "./logRotation.ts"

type Role = SettingValues["role"]

interface Signals {
  readonly hangups: Heard
  readonly rotations: Heard
}

type Load = (
  heard: Signals,
  parts: Partial<DataPlaneParts> | undefined
) => Promise<Layer.Layer<never, StartError, Settings>>

/** Each role is loaded alone: a data plane never pays for the control plane's store. */
const loadRole: Readonly<Record<Role, Load>> = {
  data_plane: async (heard, parts) =>
    Layer.merge(Hangup.reloadOn(heard.hangups), LogRotation.reopenOn(heard.rotations)).pipe(
      Layer.provide((await import("./DataPlane.ts")).DataPlane.layerFromSettings(parts))
    ),
  control_plane: async (heard) =>
    Layer.mergeAll(
      Hangup.ignore(heard.hangups),
      LogRotation.ignore(heard.rotations),
      (await import("./ControlPlane.ts")).ControlPlane.layerFromSettings()
    )
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

/** `parts` replace a data plane's own. */
export const runDaemon =
  (role?: Role, parts?: Partial<DataPlaneParts>): RunCommand =>
  ({ flags, env }) =>
    Effect.gen(function* () {
      const heard = { hangups: yield* hear("SIGHUP"), rotations: yield* hear("SIGUSR1") }
      const parsed = yield* readSettings({
        env,
        ...(typeof flags.conf === "string" ? { file: flags.conf } : {}),
        ...(role === undefined ? {} : { command: { role } })
      })
      const settings = Layer.succeed(Settings, parsed.values)
      const program = yield* Effect.promise(() => loadRole[parsed.values.role](heard, parts))
      const surroundings = Layer.provideMerge(consoleLog, settings)
      const main = Layer.effectDiscard(sayUnserved(parsed)).pipe(Layer.merge(program), Layer.provide(surroundings))
      return yield* Layer.launch(main)
    }).pipe(Effect.scoped)
