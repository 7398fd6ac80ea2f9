/** The data plane's control path with real parts where they are pure, and stand-ins for disk and network. */
import { Effect, Layer, Ref } from "effect"
import * as RefLiveConfig from "../../src/layers/RefLiveConfig.ts"
import type { CompiledConfig } from "../../src/model/CompiledConfig.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import type { Snapshot } from "../../src/model/Snapshot.ts"
import { ConfigCache, ConfigCacheError } from "../../src/services/ConfigCache.ts"
import { Router } from "../../src/services/Router.ts"
import type { RungAnswer } from "../../src/services/Rung.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { testPlugins } from "./plugins.ts"
import { settingsLayer } from "./settings.ts"

/** Compiles to the names of the routes: enough to see which configuration serves. */
export const namingRouter = Layer.succeed(Router, {
  compile: (table): CompiledConfig => ({
    match: () => undefined,
    certificateFor: () => undefined,
    routeCount: table.routes.length,
    warnings: []
  })
})

export const joined = { cluster_control_plane: "cp:8005", cluster_cert: "c", cluster_cert_key: "k" }

/** A node with these settings; one with a control plane unless they say otherwise. */
export const liveLayerFor = (given: Partial<Record<SettingName, string>>) =>
  RefLiveConfig.layer.pipe(Layer.provide([namingRouter, settingsLayer(given), testPlugins, TrustedClock.layerWall]))

export const liveLayer = liveLayerFor(joined)

const nothing = Effect.succeed<RungAnswer>({ _tag: "Nothing", reason: "no file" })

/** An in-memory disk that keeps what was written and can be told to fail. */
export const memoryCache = Effect.gen(function* () {
  const written = yield* Ref.make<ReadonlyArray<Snapshot>>([])
  const failures = yield* Ref.make(0)
  const state = yield* Ref.make<"own" | "known" | "foreign" | "absent">("own")
  const write = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const left = yield* Ref.getAndUpdate(failures, (n) => Math.max(0, n - 1))
    if (left > 0) return yield* new ConfigCacheError({ operation: "write", file: "memory", message: "disk full" })
    yield* Ref.update(written, (all) => [...all, snapshot])
  })
  const byHand = { file: "memory", adopt: Effect.void, state: Ref.get(state), offer: nothing }
  const layer = Layer.succeed(ConfigCache, { source: "disk", offer: nothing, write, byHand })
  return { written, failures, state, layer }
})

/** Lets every fiber that is ready run until none is: what a virtual clock needs between its steps. */
export const settle = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })
