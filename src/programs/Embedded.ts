/** A node inside somebody else's process, as promises. It takes its settings from the caller alone, never from the environment. */
import { Effect, Layer, ManagedRuntime } from "effect"
import { consoleLog } from "../layers/ConsoleLog.ts"
import type { Plugin } from "../model/plugin/Plugin.ts"
import type { HostPort } from "../model/SettingTypes.ts"
import { AdminListener, ClusterListener } from "../services/control/Listeners.ts"
import { Proxy } from "../services/Proxy.ts"
import type { StartError } from "../services/StartError.ts"
import { StatusListener } from "../services/StatusListener.ts"
import { type GivenSettings, givenSettings } from "./parts.ts"

export interface Running<Listener extends string> {
  /** Where it listens, with the ports that the system chose where a setting says 0. */
  readonly addresses: Readonly<Record<Listener, ReadonlyArray<HostPort>>>
  /** Drains, then stops. */
  readonly close: () => Promise<void>
}

const start = async <R, Listener extends string>(
  program: Layer.Layer<R, StartError>,
  settings: GivenSettings,
  addresses: Effect.Effect<Running<Listener>["addresses"], never, R>
): Promise<Running<Listener>> => {
  const log = consoleLog.pipe(Layer.provide(givenSettings(settings)))
  const runtime = ManagedRuntime.make(program.pipe(Layer.provide(log)))
  return { addresses: await runtime.runPromise(addresses), close: () => runtime.dispose() }
}

export interface EmbeddedOptions {
  /** Plugins of one's own, beside the built-in ones; one with the name of a built-in takes its place. */
  readonly plugins?: ReadonlyArray<Plugin>
}

/** Rejects with a `StartError` that names every fault. */
export const startDataPlane = async (
  settings: GivenSettings,
  { plugins = [] }: EmbeddedOptions = {}
): Promise<Running<"proxy" | "status">> => {
  const { DataPlane } = await import("./DataPlane.ts")
  const addresses = Effect.gen(function* () {
    return { proxy: (yield* Proxy).addresses, status: (yield* StatusListener).addresses }
  })
  const own: GivenSettings = { ...settings, role: "data_plane" }
  return start(DataPlane.layer({ settings: own, plugins }), own, addresses)
}

/** Rejects with a `StartError` that names every fault. */
export const startControlPlane = async (
  settings: GivenSettings,
  { plugins = [] }: EmbeddedOptions = {}
): Promise<Running<"admin" | "cluster">> => {
  const { ControlPlane } = await import("./ControlPlane.ts")
  const addresses = Effect.gen(function* () {
    return { admin: (yield* AdminListener).addresses, cluster: (yield* ClusterListener).addresses }
  })
  const own: GivenSettings = { ...settings, role: "control_plane" }
  return start(ControlPlane.layer({ settings: own, plugins }), own, addresses)
}
