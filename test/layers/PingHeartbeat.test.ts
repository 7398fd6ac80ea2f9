import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Queue, Ref } from "effect"
import { TestClock } from "effect/testing"
import * as PingHeartbeat from "../../src/layers/PingHeartbeat.ts"
import type { ClusterSocket, Frame, SessionEnd } from "../../src/services/ClusterDialer.ts"
import { Heartbeat } from "../../src/services/Heartbeat.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { liveLayer, settle } from "../support/live.ts"
import { table } from "../support/tables.ts"

const layer = PingHeartbeat.layer.pipe(Layer.provideMerge(liveLayer))

/** Notes when each ping left, in seconds, and what it carried. */
const recordingSocket = Effect.gen(function* () {
  const pings = yield* Ref.make<ReadonlyArray<readonly [number, string]>>([])
  const frames = yield* Queue.unbounded<Frame, SessionEnd>()
  const ping = Effect.fnUntraced(function* (payload: string) {
    const atSeconds = (yield* Clock.currentTimeMillis) / 1000
    yield* Ref.update(pings, (all) => [...all, [atSeconds, payload] as const])
  })
  const socket: ClusterSocket = { frames, ping, send: () => Effect.void }
  return { socket, pings }
})

describe("heartbeat (hybrid-protocol-v1.md §2, §6)", () => {
  it.effect("pings at once and then every 30 s, with the running configuration's 32 characters", () =>
    Effect.gen(function* () {
      const heartbeat = yield* Heartbeat
      const { socket, pings } = yield* recordingSocket
      yield* Effect.forkChild(heartbeat.beat(socket), { startImmediately: true })
      yield* settle
      for (let i = 0; i < 95; i++) yield* Effect.andThen(TestClock.adjust("1 second"), settle)
      assert.deepEqual(
        yield* Ref.get(pings),
        [0, 30, 60, 90].map((at) => [at, "0".repeat(32)] as const)
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("pings promptly after a configuration was applied, with the new hash", () =>
    Effect.gen(function* () {
      const heartbeat = yield* Heartbeat
      const live = yield* LiveConfig
      const { socket, pings } = yield* recordingSocket
      yield* Effect.forkChild(heartbeat.beat(socket), { startImmediately: true })
      yield* TestClock.adjust("7 seconds")
      yield* live.apply({ raw: table(), source: "control_plane", hash: "a".repeat(32), receivedAtMs: 0 })
      yield* heartbeat.announce
      yield* settle
      assert.deepEqual((yield* Ref.get(pings)).at(-1), [7, "a".repeat(32)])
    }).pipe(Effect.provide(layer))
  )

  it.effect("declares silence after 45 s without a frame, never before, and never while frames come", () =>
    Effect.gen(function* () {
      const heartbeat = yield* Heartbeat
      const seen = yield* Queue.sliding<void>(1)
      const watching = yield* Effect.forkChild(Effect.flip(heartbeat.watch(seen)), { startImmediately: true })
      for (let frame = 0; frame < 20; frame++) {
        yield* TestClock.adjust("44900 millis")
        yield* Queue.offer(seen, undefined)
        yield* settle
      }
      assert.isUndefined(watching.pollUnsafe())
      yield* TestClock.adjust("44999 millis")
      yield* settle
      assert.isUndefined(watching.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const end = yield* Fiber.join(watching)
      assert.deepInclude(end, { reason: "silent", message: "nothing received for 45 s" })
    }).pipe(Effect.provide(layer))
  )
})
