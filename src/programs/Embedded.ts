/** A node inside somebody else's process, as promises. It takes its settings from the caller alone, never from the environment. */
import { Effect, Layer, ManagedRuntime } from "effect"
import { consoleLog } from "../layers/ConsoleLog.ts"
import { parseSettings } from "../model/parseSettings.ts"
import type { SettingName } from "../model/SettingTable.ts"
import type { HostPort } from "../model/SettingTypes.ts"
import { AdminListener, ClusterListener } from "../services/control/Listeners.ts"
import { Proxy } from "../services/Proxy.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"
import { StatusListener } from "../services/StatusListener.ts"

/** Written as in a settings file: `{ proxy_listen: "127.0.0.1:0" }`. */
export type GivenSettings = Partial<Readonly<Record<SettingName, string>>>

export interface Running<Listener extends string> {
  /** Where it listens, with the ports that the system chose where a setting says 0. */
  readonly addresses: Readonly<Record<Listener, ReadonlyArray<HostPort>>>
  /** Drains, then stops. */
  readonly close: () => Promise<void>
}

const given = (settings: GivenSettings): Layer.Layer<Settings, StartError> =>
  Layer.effect(
    Settings,
    Effect.suspend(() => {
      const { values, faults } = parseSettings({ env: {}, command: settings })
      return faults.length > 0 ? Effect.fail(new StartError({ faults, exitCode: 2 })) : Effect.succeed(values)
    })
  )

const start = async <R, Listener extends string>(
  program: Layer.Layer<R, StartError, Settings>,
  settings: GivenSettings,
  addresses: Effect.Effect<Running<Listener>["addresses"], never, R>
): Promise<Running<Listener>> => {
  const surroundings = Layer.provideMerge(consoleLog, given(settings))
  const runtime = ManagedRuntime.make(program.pipe(Layer.provide(surroundings)))
  return { addresses: await runtime.runPromise(addresses), close: () => runtime.dispose() }
}

/** Rejects with a `StartError` that names every fault. */
export const startDataPlane = async (settings: GivenSettings): Promise<Running<"proxy" | "status">> => {
  const { DataPlane } = await import("./DataPlane.ts")
  const addresses = Effect.gen(function* () {
    return { proxy: (yield* Proxy).addresses, status: (yield* StatusListener).addresses }
  })
  return start(DataPlane.layer, { ...settings, role: "data_plane" }, addresses)
}

/** Rejects with a `StartError` that names every fault. */
export const startControlPlane = async (settings: GivenSettings): Promise<Running<"admin" | "cluster">> => {
  const { ControlPlane } = await import("./ControlPlane.ts")
  const addresses = Effect.gen(function* () {
    return { admin: (yield* AdminListener).addresses, cluster: (yield* ClusterListener).addresses }
  })
  return start(ControlPlane.layer, { ...settings, role: "control_plane" }, addresses)
}
