/**
 * What an embedder may say of a program: its settings, and layers of their own in place of any of its parts. A part is
 * the layer behind one service; whoever swaps it may need what the default one needs, or less.
 */
import { Effect, Layer, type Scope } from "effect"
import { parseSettings } from "../model/parseSettings.ts"
import type { Plugin } from "../model/plugin/Plugin.ts"
import type { SettingName } from "../model/SettingTable.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"

/** Written as in a settings file: `{ proxy_listen: "127.0.0.1:0" }`. */
export type GivenSettings = Partial<Readonly<Record<SettingName, string>>>

/** The parts as a caller may replace them: the same services, the same needs, and a `StartError` when one can't start. */
export type PartsOf<Defaults> = {
  readonly [K in keyof Defaults]: Defaults[K] extends Layer.Layer<infer A, infer _E, infer R>
    ? Layer.Layer<A, StartError, R>
    : never
}

export interface ProgramOptions<Parts> {
  /** Nothing is read from the environment: what is not given here has its default. */
  readonly settings?: GivenSettings
  readonly parts?: Partial<Parts>
  /** Plugins of one's own, beside the built-in ones; one with the name of a built-in takes its place. */
  readonly plugins?: ReadonlyArray<Plugin>
}

/** The settings that a caller gave; a `StartError` with exit code 2 names every fault of theirs. */
export const givenSettings = (settings: GivenSettings): Layer.Layer<Settings, StartError> =>
  Layer.effect(
    Settings,
    Effect.suspend(() => {
      const { values, faults } = parseSettings({ env: {}, command: settings })
      return faults.length > 0 ? Effect.fail(new StartError({ faults, exitCode: 2 })) : Effect.succeed(values)
    })
  )

/**
 * Layers are shared by reference within one build, and two nodes of one process are made of the same default layers:
 * each node is therefore built apart, so that they share nothing.
 */
export const apart = <A, E, R>(node: Layer.Layer<A, E, R>): Layer.Layer<A, E, Exclude<R, Scope.Scope>> =>
  Layer.effectContext(
    Effect.gen(function* () {
      return yield* Layer.buildWithMemoMap(node, yield* Layer.makeMemoMap, yield* Effect.scope)
    })
  )
