/** The data plane's control path with real parts where they are pure, and stand-ins for disk and network. */
import { Effect, Layer, Option, Ref } from "effect"
import * as RefLiveConfig from "../../src/layers/RefLiveConfig.ts"
import type { CompiledConfig } from "../../src/model/CompiledConfig.ts"
import type { Snapshot } from "../../src/model/Snapshot.ts"
import { ConfigCache, ConfigCacheError } from "../../src/services/ConfigCache.ts"
import { Router } from "../../src/services/Router.ts"

/** Compiles to the names of the routes: enough to see which configuration serves. */
export const namingRouter = Layer.succeed(Router, {
  compile: (table): CompiledConfig => ({
    match: () => undefined,
    certificateFor: () => undefined,
    routeCount: table.routes.length,
    warnings: []
  })
})

export const liveLayer = RefLiveConfig.layer.pipe(Layer.provide(namingRouter))

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
  const byHand = { file: "memory", state: Ref.get(state), read: Effect.succeed(Option.none()) }
  const layer = Layer.succeed(ConfigCache, { read: Effect.succeed(Option.none()), write, byHand })
  return { written, failures, state, layer }
})

/** Lets every fiber that is ready run until none is: what a virtual clock needs between its steps. */
export const settle = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })
