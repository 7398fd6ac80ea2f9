/** What the driver and the receiver take from what is around them. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Layer, Logger, Ref, Schedule, SubscriptionRef } from "effect"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { ReconnectPolicy, type ReconnectSchedule } from "../../../src/services/ReconnectPolicy.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { eventsInto, type LoggedEvent } from "../../support/logged.ts"
import { passSeconds, push, withNode } from "../../support/outletNode.ts"
import { table } from "../../support/tables.ts"

const fromDisk = Effect.gen(function* () {
  const live = yield* LiveConfig
  yield* Effect.orDie(live.apply({ raw: table("/d"), source: "disk", hash: "d".repeat(32), receivedAtMs: 1 }))
})

describe("a node that starts from its cache", () => {
  it.effect("announces that with its first ping", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          assert.deepEqual(
            (yield* Ref.get(network.pings)).map(([, hash]) => hash[0]),
            ["d"]
          )
        }),
      { before: () => fromDisk }
    )
  )
})

describe("a control plane's timestamp", () => {
  it.effect("reaches the trusted clock with each configuration, in milliseconds", () =>
    Effect.gen(function* () {
      const confirmed = yield* Ref.make<ReadonlyArray<number>>([])
      const clock = Layer.effect(
        TrustedClock,
        Effect.map(TrustedClock, (wall) => ({
          ...wall,
          confirm: (ms: number) => Ref.update(confirmed, (all) => [...all, ms])
        }))
      ).pipe(Layer.provide(TrustedClock.layerWall))
      yield* withNode(
        ({ receive }) =>
          Effect.gen(function* () {
            yield* receive(push("1", "/a", {}, 1_700_000_000.123))
            yield* receive(push("2", "/b", {}, 1_700_000_001))
            assert.deepEqual(yield* Ref.get(confirmed), [1_700_000_000_123, 1_700_000_001_000])
          }),
        { clock }
      )
    })
  )
})

describe("a configuration that is right but outranked", () => {
  it.effect("is left aside and not held against it, and is told once, however often it comes", () => {
    const events: Array<LoggedEvent> = []
    return withNode(
      ({ receive }) =>
        Effect.gen(function* () {
          yield* receive(push("1", "/a", {}, 1))
          yield* receive(push("1", "/a", {}, 2))
          yield* receive(push("2", "/b", {}, 3))
          const leftAside = events.filter(({ message }) => message.startsWith("configuration left aside"))
          assert.lengthOf(leftAside, 2)
          const { lastRejection, hash } = yield* SubscriptionRef.get((yield* LiveConfig).state)
          assert.isUndefined(lastRejection)
          assert.strictEqual(hash[0], "d")
        }),
      { settings: { config_sources: "disk,control_plane,declarative_file" }, before: () => fromDisk }
    ).pipe(Effect.provide(Logger.layer([eventsInto(events)])))
  })
})

describe("a reconnect policy that has run out", () => {
  it.effect("leaves nothing of its last delay to the one that starts fresh", () => {
    let instances = 0
    /** Its first life gives 2 s once; every later one has nothing to give. */
    const twoSeconds = Duration.seconds(2)
    const schedule: ReconnectSchedule = Schedule.fromStep(
      Effect.sync(() => {
        const isFirst = instances++ === 0
        let steps = 0
        return () =>
          isFirst && steps++ === 0
            ? Effect.succeed<[Duration.Duration, Duration.Duration]>([twoSeconds, twoSeconds])
            : Cause.done(twoSeconds)
      })
    )
    return withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* passSeconds(3)
          assert.deepEqual(yield* Ref.get(network.dials), [0, 2_000])
          yield* Ref.set(network.fate, "answering")
          yield* passSeconds(10)
          const before = yield* Ref.get(network.dials)
          yield* Ref.set(network.fate, "refused")
          const lostAtMs = 13_000
          yield* network.hangUp
          yield* passSeconds(11)
          const [next] = (yield* Ref.get(network.dials)).slice(before.length)
          assert.strictEqual(next, lostAtMs + 10_000)
        }),
      {
        before: ({ fate }) => Ref.set(fate, "refused"),
        policy: Layer.succeed(ReconnectPolicy, { schedule, retryAfterMaxMs: 300_000 })
      }
    )
  })
})
