import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Ref } from "effect"
import { TestClock } from "effect/testing"
import * as PingHeartbeat from "../../src/layers/PingHeartbeat.ts"
import type { Frame, SessionEnd } from "../../src/services/ClusterDialer.ts"
import { Heartbeat } from "../../src/services/Heartbeat.ts"
import { monotonicMs } from "../../src/services/monotonic.ts"
import { settle } from "../support/live.ts"

const withAlarm = <A, E>(
  test: (alarm: {
    readonly set: (deadlineMs: number | undefined) => Effect.Effect<void>
    readonly rung: Effect.Effect<ReadonlyArray<number>>
  }) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const heartbeat = yield* Heartbeat
    const rung = yield* Ref.make<ReadonlyArray<number>>([])
    const ring = Effect.flatMap(monotonicMs, (nowMs) => Ref.update(rung, (all) => [...all, nowMs]))
    const alarm = yield* heartbeat.alarm(ring)
    return yield* test({ set: (at) => Effect.andThen(alarm.set(at), settle), rung: Ref.get(rung) })
  }).pipe(Effect.scoped, Effect.provide(PingHeartbeat.layer))

const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settle)

describe("the alarm of the session machine", () => {
  it.effect("rings once when its deadline has come, and not before", () =>
    withAlarm(({ set, rung }) =>
      Effect.gen(function* () {
        yield* set(1_000)
        yield* pass(999)
        assert.deepEqual(yield* rung, [])
        yield* pass(1)
        assert.deepEqual(yield* rung, [1_000])
        yield* pass(10_000)
        assert.deepEqual(yield* rung, [1_000])
      })
    )
  )

  it.effect("rings at once for a deadline that has passed, again and again", () =>
    withAlarm(({ set, rung }) =>
      Effect.gen(function* () {
        yield* pass(500)
        yield* set(400)
        yield* set(500)
        assert.deepEqual(yield* rung, [500, 500])
      })
    )
  )

  it.effect("follows the deadline in both directions, and rings for the last one only", () =>
    withAlarm(({ set, rung }) =>
      Effect.gen(function* () {
        yield* set(5_000)
        yield* set(3_000)
        yield* set(8_000)
        yield* pass(7_999)
        assert.deepEqual(yield* rung, [])
        yield* pass(1)
        assert.deepEqual(yield* rung, [8_000])
        yield* set(20_000)
        yield* set(10_000)
        yield* pass(2_000)
        assert.deepEqual(yield* rung, [8_000, 10_000])
        yield* pass(60_000)
        assert.deepEqual(yield* rung, [8_000, 10_000])
      })
    )
  )

  it.effect("is silent while nothing is waited for, and works on afterwards", () =>
    withAlarm(({ set, rung }) =>
      Effect.gen(function* () {
        yield* set(1_000)
        yield* set(undefined)
        yield* pass(5_000)
        assert.deepEqual(yield* rung, [])
        yield* set(6_000)
        yield* pass(1_000)
        assert.deepEqual(yield* rung, [6_000])
      })
    )
  )

  it.effect("takes deadlines with fractions", () =>
    withAlarm(({ set, rung }) =>
      Effect.gen(function* () {
        yield* set(7_123.456)
        yield* pass(7_123)
        assert.deepEqual(yield* rung, [])
        yield* pass(1)
        assert.lengthOf(yield* rung, 1)
      })
    )
  )
})

describe("the ping (hybrid-protocol-v1.md §2)", () => {
  it.effect("carries the hash as it is", () =>
    Effect.gen(function* () {
      const { ping } = yield* Heartbeat
      const pings = yield* Ref.make<ReadonlyArray<string>>([])
      const frames = yield* Queue.unbounded<Frame, SessionEnd>()
      const socket = {
        frames,
        send: () => Effect.void,
        ping: (hash: string) => Ref.update(pings, (all) => [...all, hash])
      }
      yield* ping(socket, "a".repeat(32))
      assert.deepEqual(yield* Ref.get(pings), ["a".repeat(32)])
    }).pipe(Effect.provide(PingHeartbeat.layer))
  )
})
