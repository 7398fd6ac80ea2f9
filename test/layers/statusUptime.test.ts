/** How long something lasts is no matter of what time it is (faults.md, clocks). */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import * as HttpStatusListener from "../../src/layers/status-listener/HttpStatusListener.ts"
import { ConnectionStatus } from "../../src/services/ConnectionStatus.ts"
import { Identity } from "../../src/services/Identity.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { NodeMetrics } from "../../src/services/NodeMetrics.ts"
import { Resolver } from "../../src/services/Resolver.ts"
import { StatusListener } from "../../src/services/StatusListener.ts"
import { TelemetryStatus } from "../../src/services/TelemetryStatus.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { liveLayer } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"

it.live("uptime_seconds stays what it is when the node's idea of now is corrected", () =>
  Effect.gen(function* () {
    let now = Date.UTC(2026, 0, 1)
    const clock = Layer.effect(
      TrustedClock,
      Effect.map(SubscriptionRef.make(0), (jumps) => ({
        nowMs: Effect.sync(() => now),
        confirm: () => Effect.void,
        jumps,
        facts: Effect.sync(() => ({ nowMs: now, deviationMs: 0, doubt: undefined, lastCorrection: undefined }))
      }))
    )
    const layer = HttpStatusListener.layer.pipe(
      Layer.provide(Layer.succeed(NodeMetrics, { samples: Effect.succeed({}) })),
      Layer.provideMerge(
        Layer.mergeAll(
          liveLayer,
          ConnectionStatus.layer,
          NodeHealth.layer,
          TelemetryStatus.layer,
          clock,
          Layer.succeed(Resolver, {
            resolve: () => undefined,
            stats: () => ({ names: 0, hits: 0, stale: 0, misses: 0, queries: 0, failures: 0 })
          }),
          settingsLayer({ status_listen: "127.0.0.1:0" }),
          Layer.succeed(Identity, { nodeId: "5b1b701d-de2b-4588-9aa2-3b97061d9f52", hostname: "h", version: "3.9.0" })
        )
      )
    )
    yield* Effect.gen(function* () {
      const { addresses } = yield* StatusListener
      now += 86_400_000
      const response = yield* Effect.promise(() => fetch(`http://127.0.0.1:${addresses[0]?.port}/status`))
      const { node } = (yield* Effect.promise(() => response.json())) as {
        readonly node: { readonly uptime_seconds: number }
      }
      assert.isBelow(node.uptime_seconds, 60)
    }).pipe(Effect.provide(layer))
  })
)
