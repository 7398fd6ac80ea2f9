/** What is owed to the disk outlives a defect of the driver: `faults.md`, "a passing failure is retried until superseded". */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, MutableRef, Random, Ref } from "effect"
import * as GzipConfigReceiver from "../../../src/layers/GzipConfigReceiver.ts"
import * as OutletConnection from "../../../src/layers/outlet/OutletConnection.ts"
import * as PingHeartbeat from "../../../src/layers/PingHeartbeat.ts"
import { Connection } from "../../../src/services/Connection.ts"
import { ConnectionStatus } from "../../../src/services/ConnectionStatus.ts"
import { Heartbeat } from "../../../src/services/Heartbeat.ts"
import { NodeHealth } from "../../../src/services/NodeHealth.ts"
import { ReconnectPolicy } from "../../../src/services/ReconnectPolicy.ts"
import { supervise } from "../../../src/services/supervise.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { liveLayer, memoryCache, settle } from "../../support/live.ts"
import { makeNetwork } from "../../support/outletNetwork.ts"
import { passSeconds, plainCompression, push } from "../../support/outletNode.ts"
import { testPlugins } from "../../support/plugins.ts"
import { settingsLayer } from "../../support/settings.ts"

/** A heartbeat whose alarm dies once, when it is told to. */
const mortal = (dies: MutableRef.MutableRef<boolean>) =>
  Layer.effect(
    Heartbeat,
    Effect.map(Heartbeat, ({ ping, alarm }) => ({
      ping,
      alarm: (ring: Effect.Effect<void>) =>
        Effect.map(alarm(ring), ({ set }) => ({
          set: (deadlineMs: number | undefined) =>
            Effect.suspend(() => (MutableRef.getAndSet(dies, false) ? Effect.die("a bug") : set(deadlineMs)))
        }))
    }))
  ).pipe(Layer.provide(PingHeartbeat.layer))

describe("a driver that starts again", () => {
  it.effect("still writes what the disk had refused, and does not call it written before", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork
      const cache = yield* memoryCache
      const dies = MutableRef.make(false)
      const node = OutletConnection.layer.pipe(
        Layer.provide([network.layer, mortal(dies), ReconnectPolicy.layer]),
        Layer.provide(GzipConfigReceiver.layer),
        Layer.provide([plainCompression, testPlugins, TrustedClock.layerWall]),
        Layer.provideMerge(cache.layer),
        Layer.provideMerge(Layer.mergeAll(liveLayer, NodeHealth.layer, ConnectionStatus.layer)),
        Layer.provide(settingsLayer({ cluster_control_plane: "cp:8005", cluster_cert: "c", cluster_cert_key: "k" }))
      )
      yield* Effect.gen(function* () {
        const { cacheProblem } = yield* NodeHealth
        yield* supervise("connection", (yield* Connection).run)
        yield* settle
        yield* Ref.set(cache.failures, 3)
        yield* Effect.andThen(network.push({ _tag: "Binary", bytes: push("1") }), settle)
        assert.isDefined(MutableRef.get(cacheProblem))
        MutableRef.set(dies, true)
        yield* Ref.set(network.fate, "refused")
        yield* Effect.andThen(network.push({ _tag: "Text" }), settle)
        yield* passSeconds(1)
        assert.isDefined(MutableRef.get(cacheProblem), "nothing was written")
        yield* passSeconds(60)
        assert.lengthOf(yield* Ref.get(cache.written), 1)
      }).pipe(Effect.scoped, Effect.provide(node))
    }).pipe(Random.withSeed("driver"))
  )
})
