import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Ref, Schedule, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { decodeBasicInfo, decodeErrorReport } from "../../../src/model/Wire.ts"
import { type Frame, SessionEnd } from "../../../src/services/ClusterDialer.ts"
import { ConnectionStatus } from "../../../src/services/ConnectionStatus.ts"
import { ConfigRejected, LiveConfig } from "../../../src/services/LiveConfig.ts"
import { ReconnectPolicy, type ReconnectSchedule } from "../../../src/services/ReconnectPolicy.ts"
import { settle } from "../../support/live.ts"
import type { Fate, Network } from "../../support/outletNetwork.ts"
import { badPush, passSeconds, push, withNode } from "../../support/outletNode.ts"

const meeting = (fate: Fate) => ({ before: (network: Network) => Ref.set(network.fate, fate) })
const gaps = (times: ReadonlyArray<number>) => times.slice(1).map((time, i) => time - (times[i] ?? 0))

const reports = (network: Network) =>
  Effect.map(Ref.get(network.sent), (all) =>
    all.flatMap((bytes) => {
      const decoded = decodeErrorReport(bytes)
      return decoded._tag === "Right" ? [decoded.message.config_hash?.slice(0, 1)] : []
    })
  )

describe("a refused configuration (hybrid-protocol-v1.md §2, §7)", () => {
  const konnect = { settings: { konnect_mode: "on" } } as const

  it.effect("is reported over the session in konnect_mode, once each, and never what the node's own disk held", () =>
    withNode(
      ({ network, receive }) =>
        Effect.gen(function* () {
          const live = yield* LiveConfig
          yield* live.note(new ConfigRejected({ source: "disk", hash: "d".repeat(32), faults: [] }))
          yield* receive(badPush("a"))
          assert.deepEqual(yield* reports(network), ["a"])
          yield* receive(badPush("a"))
          yield* receive(badPush("a", 1_000))
          yield* receive(badPush("b"))
          assert.deepEqual(yield* reports(network), ["a", "b"])
          yield* network.hangUp
          yield* passSeconds(11)
          yield* receive(badPush("a", 2_000))
          assert.deepEqual(yield* reports(network), ["a", "b"], "the control plane was told before")
        }),
      konnect
    )
  )

  it.effect("is reported in the next session when it came too late for its own", () =>
    withNode(
      ({ network, receive }) =>
        Effect.gen(function* () {
          yield* Ref.set(network.fate, "deaf")
          yield* receive(badPush("a"))
          assert.deepEqual(yield* reports(network), [])
          yield* Ref.set(network.fate, "answering")
          yield* network.hangUp
          yield* passSeconds(11)
          assert.deepEqual(yield* reports(network), ["a"])
        }),
      konnect
    )
  )

  it.effect("says what the original says", () =>
    withNode(
      ({ network, receive }) =>
        Effect.gen(function* () {
          yield* receive(badPush("a"))
          const decoded = decodeErrorReport((yield* Ref.get(network.sent)).at(-1) ?? new Uint8Array())
          assert(decoded._tag === "Right")
          assert.deepEqual(decoded.message, {
            name: "declarative configuration parse failure",
            source: "kong.db.declarative.parse_table",
            message: "plugins[0].name: plugin 'acl' not enabled; add it to the 'plugins' configuration property",
            config_hash: "a".repeat(32)
          })
        }),
      konnect
    )
  )

  it.effect("is not reported otherwise, for other control planes end the session over it", () =>
    withNode(({ network, receive }) =>
      Effect.gen(function* () {
        yield* receive(badPush("a"))
        assert.deepEqual(yield* reports(network), [])
      })
    )
  )
})

describe("connection (hybrid-protocol-v1.md §3, §6)", () => {
  it.effect("introduces itself first, with settings but without secrets, then pings", () =>
    withNode(({ network }) =>
      Effect.gen(function* () {
        const [first, ...rest] = yield* Ref.get(network.sent)
        assert.lengthOf(rest, 0)
        const decoded = decodeBasicInfo(first ?? new Uint8Array())
        assert(decoded._tag === "Right")
        // §3: by name, and without versions, which a control plane would hold against its own.
        assert.deepEqual(decoded.message.plugins, [
          { name: "correlation-id" },
          { name: "key-auth" },
          { name: "request-termination" }
        ])
        assert.deepEqual(decoded.message.filters, {})
        assert.deepEqual(decoded.message.labels, { region: "eu" })
        assert.strictEqual(decoded.message.process_conf?.cluster_cert_key, "******")
        assert.deepEqual(yield* Ref.get(network.pings), [[0, "0".repeat(32)]])
        assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "connected" })
      })
    )
  )

  it.effect("stays for hours with a control plane that answers, and pings every 30 s", () =>
    withNode(({ network }) =>
      Effect.gen(function* () {
        for (let i = 0; i < 2 * 360; i++) yield* Effect.andThen(TestClock.adjust("10 seconds"), settle)
        assert.lengthOf(yield* Ref.get(network.dials), 1)
        const times = (yield* Ref.get(network.pings)).map(([atMs]) => atMs)
        assert.deepEqual(
          times,
          Array.from({ length: 2 * 120 + 1 }, (_, i) => i * 30_000)
        )
      })
    )
  )

  it.effect("waits a fresh, uniform, real-valued 5 to 10 s after each failed dial, for ever", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          for (let i = 0; i < 9_000; i++) yield* Effect.andThen(TestClock.adjust("500 millis"), Effect.yieldNow)
          const dials = yield* Ref.get(network.dials)
          const delays = gaps(dials)
          assert.isAtLeast(delays.length, 500)
          assert.isTrue(delays.every((delay) => delay >= 5_000 && delay < 10_000))
          // Uniform: 10 bins, chi-squared with 9 degrees of freedom stays under its 99.9 % point.
          const bins = Array.from(
            { length: 10 },
            (_, bin) => delays.filter((delay) => Math.floor((delay - 5_000) / 500) === bin).length
          )
          const expected = delays.length / 10
          const chiSquared = bins.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0)
          assert.isBelow(chiSquared, 27.9)
          assert.isAbove(delays.filter((delay) => delay % 1000 !== 0).length, delays.length * 0.9)
          assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), {
            _tag: "disconnected",
            attempts: dials.length
          })
        }),
      meeting("refused")
    )
  )

  it.effect("comes back 5 to 10 s after a close, and introduces itself again", () =>
    withNode(({ network }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("3 seconds")
        yield* network.hangUp
        yield* settle
        assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "disconnected", reason: "bye" })
        yield* passSeconds(11)
        const [gap] = gaps(yield* Ref.get(network.dials))
        assert.isAtLeast(gap ?? 0, 8_000)
        assert.isBelow(gap ?? 0, 13_000)
        assert.lengthOf(yield* Ref.get(network.sent), 2)
        assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "connected" })
      })
    )
  )

  it.effect("gives up a half-open session after 45 s of silence, and has one live socket at most", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* passSeconds(44)
          assert.lengthOf(yield* Ref.get(network.dials), 1)
          yield* passSeconds(1)
          assert.strictEqual(yield* Ref.get(network.liveSockets), 0)
          yield* passSeconds(600)
          const delays = gaps(yield* Ref.get(network.dials))
          assert.isAtLeast(delays.length, 8)
          assert.isTrue(delays.every((delay) => delay >= 50_000 && delay < 55_000))
          assert.strictEqual(yield* Ref.get(network.mostSockets), 1)
        }),
      meeting("silent")
    )
  )

  it.effect("gives up a dial that nobody answers after 5 s, and leaves nothing of it", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* passSeconds(5)
          assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), {
            _tag: "disconnected",
            reason: "no connection within 5000 ms"
          })
          assert.strictEqual(yield* Ref.get(network.liveSockets), 0)
          yield* passSeconds(600)
          const delays = gaps(yield* Ref.get(network.dials))
          assert.isTrue(delays.every((delay) => delay >= 10_000 && delay < 15_000))
        }),
      meeting("unanswered")
    )
  )

  it.effect("ends a session over which nothing can be sent", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* passSeconds(5)
          assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "disconnected" })
          assert.strictEqual(yield* Ref.get(network.liveSockets), 0)
        }),
      meeting("deaf")
    )
  )

  it.effect("counts any frame as a sign of life, takes binary ones, ignores text", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          const frames: ReadonlyArray<Frame> = [
            { _tag: "Text" },
            { _tag: "Ping" },
            { _tag: "Binary", bytes: new Uint8Array([7]) },
            { _tag: "Binary", bytes: push("1") }
          ]
          for (const frame of frames) {
            yield* passSeconds(40)
            yield* network.push(frame)
            yield* settle
          }
          assert.lengthOf(yield* Ref.get(network.dials), 1)
          const { state } = yield* LiveConfig
          assert.deepInclude(yield* SubscriptionRef.get(state), { source: "control_plane", hash: "1".repeat(32) })
        }),
      meeting("silent")
    )
  )

  it.effect("survives a defect in the dialer: it costs the session, not the connection", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* Ref.set(network.fate, "answering")
          yield* passSeconds(11)
          assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "connected" })
        }),
      meeting("defect")
    )
  )
})

describe("the reconnect policy", () => {
  const policy = (schedule: ReconnectSchedule) => Layer.succeed(ReconnectPolicy, { schedule, retryAfterMaxMs: 300_000 })

  it.effect("of an embedder's keeps its last delay when it runs out", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* passSeconds(120)
          assert.deepEqual(gaps(yield* Ref.get(network.dials)).slice(0, 6), [1_000, 2_000, 4_000, 4_000, 4_000, 4_000])
        }),
      {
        ...meeting("refused"),
        policy: policy(Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 })))
      }
    )
  )

  it.effect("that never gives a delay is replaced by the longest of the contract", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* passSeconds(60)
          assert.deepEqual(gaps(yield* Ref.get(network.dials)).slice(0, 3), [10_000, 10_000, 10_000])
        }),
      {
        ...meeting("refused"),
        policy: policy(Schedule.map(Schedule.recurs(0), () => Effect.succeed(Duration.zero)))
      }
    )
  )

  it.effect("starts fresh after a session that was live", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          yield* passSeconds(16)
          assert.deepEqual(yield* Ref.get(network.dials), [0, 1_000, 3_000, 7_000, 15_000])
          yield* Ref.set(network.fate, "answering")
          yield* passSeconds(20)
          yield* Ref.set(network.fate, "refused")
          const before = (yield* Ref.get(network.dials)).length
          yield* network.hangUp
          yield* passSeconds(10)
          assert.deepEqual(gaps((yield* Ref.get(network.dials)).slice(before)), [2_000, 4_000])
        }),
      { ...meeting("refused"), policy: policy(Schedule.exponential("1 second")) }
    )
  )

  it.effect("waits as long as the control plane asks, with jitter, as far as the cap allows (Retry-After)", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          for (let i = 0; i < 4_000; i++) yield* Effect.andThen(TestClock.adjust("500 millis"), Effect.yieldNow)
          const delays = gaps(yield* Ref.get(network.dials))
          assert.isAtLeast(delays.length, 10)
          assert.isTrue(delays.every((delay) => delay >= 60_000 && delay < 65_000))
          assert.isAbove(new Set(delays).size, delays.length / 2)
        }),
      {
        before: (network) =>
          Effect.andThen(
            Ref.set(network.fate, "refused"),
            Ref.set(network.refusal, new SessionEnd({ reason: "refused", message: "503", retryAfterMs: 86_400_000 }))
          ),
        settings: { cluster_retry_after_max: "60" }
      }
    )
  )

  it.effect("backoff grows to its cap with full jitter", () =>
    withNode(
      ({ network }) =>
        Effect.gen(function* () {
          for (let i = 0; i < 20_000; i++) yield* Effect.andThen(TestClock.adjust("500 millis"), Effect.yieldNow)
          const delays = gaps(yield* Ref.get(network.dials))
          const late = delays.slice(4)
          assert.isBelow(delays[0] ?? 0, 10_000)
          assert.isBelow(delays[1] ?? 0, 20_000)
          assert.isTrue(late.every((delay) => delay < 60_000))
          assert.isAbove(Math.max(...late), 50_000)
          assert.isBelow(Math.min(...late), 10_000)
          const mean = late.reduce((sum, delay) => sum + delay, 0) / late.length
          assert.approximately(mean, 30_000, 5_000)
        }),
      {
        ...meeting("refused"),
        settings: { cluster_reconnect_policy: "backoff", cluster_reconnect_backoff_max: "60" }
      }
    )
  )
})
