/** The trusted clock over clocks that jump and disks that fail: `faults.md`, "Clocks". */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, Random, Ref, References, Scope, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { layer as trustedClockLayer } from "../../src/layers/TrustedClockOnDisk.ts"
import { decodeKeptTime, encodeKeptTime } from "../../src/model/KeptTime.ts"
import { SessionEnd } from "../../src/services/ClusterDialer.ts"
import { kong } from "../../src/services/ReconnectPolicy.ts"
import { clockStatus, TrustedClock } from "../../src/services/TrustedClock.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { settle } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"
import { type Skew, skewedClock } from "../support/skewedClock.ts"

const bornMs = Date.UTC(2026, 10, 23)
const dayMs = 86_400_000
const file = "/p/clock.json"

const makeMachine = (kept?: string) => {
  const machine = { disk: VirtualDisk.make(), renames: 0 }
  if (kept !== undefined) machine.disk.hand.write(file, Buffer.from(kept))
  const count: VirtualDisk.FaultPlan = ({ operation }) => {
    if (operation === "rename") machine.renames++
    return undefined
  }
  machine.disk.become({ faultOf: count })
  const skew: Skew = { wallErrorMs: 0 }
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    lines.push(`${logLevel} ${Array.isArray(message) ? message.join(" ") : message}`)
  })
  /** A life of the node, ended by closing the scope. */
  const life = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const node = trustedClockLayer.pipe(
      Layer.provide([machine.disk.layer, settingsLayer({ prefix: "/p" })]),
      Layer.provide(skewedClock(skew)),
      Layer.provide([Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Info")])
    )
    const context = yield* Layer.buildWithScope(node, scope)
    yield* settle
    return { clock: yield* Effect.provide(TrustedClock, context), scope }
  })
  return { machine, skew, lines, life }
}

const pass = (seconds: number) =>
  Effect.forEach(
    Array.from({ length: Math.ceil(seconds / 5) }),
    () => Effect.andThen(TestClock.adjust("5 seconds"), settle),
    { discard: true }
  )

const begin = TestClock.setTime(bornMs)

const kept = ({ hand }: VirtualDisk.VirtualDisk) => decodeKeptTime(Buffer.from(hand.read(file) ?? []).toString())

describe("the trusted clock", () => {
  it.effect("believes the wall clock at a first start and keeps it about once a minute", () =>
    Effect.gen(function* () {
      yield* begin
      const { machine, life } = makeMachine()
      const { clock } = yield* life
      assert.strictEqual(yield* clock.nowMs, bornMs)
      assert.strictEqual(kept(machine.disk)?.trustedMs, bornMs)
      yield* pass(600)
      assert.strictEqual(yield* clock.nowMs, bornMs + 600_000)
      assert.strictEqual(machine.renames, 11)
    })
  )

  it.effect(
    "does not believe a jump for ten minutes, tells it, shows it, then believes it and says that it jumped",
    () =>
      Effect.gen(function* () {
        yield* begin
        const { skew, lines, life } = makeMachine()
        const { clock } = yield* life
        yield* pass(60)
        skew.wallErrorMs = dayMs
        yield* pass(300)
        assert.strictEqual(yield* clock.nowMs, bornMs + 360_000)
        assert.deepEqual(lines, ["Warn wall clock differs from the trusted time; not believed yet"])
        const { state, deviation_seconds, last_correction } = clockStatus(yield* clock.facts)
        assert.deepEqual(
          { state, deviation_seconds, last_correction },
          {
            state: "doubted",
            deviation_seconds: 86_400,
            last_correction: null
          }
        )
        assert.strictEqual(yield* SubscriptionRef.get(clock.jumps), 0)
        yield* pass(340)
        assert.strictEqual(yield* clock.nowMs, bornMs + 700_000 + dayMs)
        assert.strictEqual(yield* SubscriptionRef.get(clock.jumps), 1)
        assert.strictEqual(lines[1], "Info wall clock believed")
        assert.deepInclude(clockStatus(yield* clock.facts), { state: "trusted", deviation_seconds: 0 })
      })
  )

  it.effect("believes it at once when a control plane confirms it", () =>
    Effect.gen(function* () {
      yield* begin
      const { machine, skew, life } = makeMachine()
      const { clock } = yield* life
      skew.wallErrorMs = -dayMs
      yield* clock.confirm(bornMs - dayMs)
      yield* settle
      assert.strictEqual(yield* clock.nowMs, bornMs - dayMs)
      assert.strictEqual(yield* SubscriptionRef.get(clock.jumps), 1)
      assert.strictEqual(kept(machine.disk)?.trustedMs, bornMs - dayMs)
    })
  )

  it.effect(
    "starts from what was kept when the clock was lost, and gets there by short lives that end by kill -9",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(0)
        const { machine, life } = makeMachine(encodeKeptTime({ trustedMs: bornMs }))
        let lives = 0
        let nowMs = bornMs
        while (nowMs >= bornMs && lives < 200) {
          const { clock, scope } = yield* life
          if (lives === 0) assert.strictEqual(yield* clock.nowMs, bornMs)
          yield* pass(10)
          nowMs = yield* clock.nowMs
          machine.disk = machine.disk.crash({ kind: "process", seed: lives })
          yield* Scope.close(scope, yield* Effect.exit(Effect.void))
          lives++
        }
        assert.isBelow(lives, 150)
        assert.isBelow(nowMs, 3_600_000)
      })
  )

  it.effect("keeps at the end of a life what the next begins with", () =>
    Effect.gen(function* () {
      yield* begin
      const { machine, life } = makeMachine()
      const { scope } = yield* life
      yield* pass(25)
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      assert.strictEqual(kept(machine.disk)?.trustedMs, bornMs + 25_000)
    })
  )

  it.effect.each([
    { what: "empty", text: "" },
    { what: "cut off", text: '{"trusted_ms": 17' },
    { what: "somebody else's", text: '{"trusted_ms":"soon"}' }
  ])("a file that is $what is told once and replaced; the wall clock counts", ({ text }) =>
    Effect.gen(function* () {
      yield* begin
      const { machine, lines, life } = makeMachine(text)
      const { clock } = yield* life
      assert.strictEqual(yield* clock.nowMs, bornMs)
      assert.deepEqual(lines, ["Warn kept time can't be read; the wall clock is believed"])
      assert.strictEqual(kept(machine.disk)?.trustedMs, bornMs)
    })
  )

  it.effect("a prefix that can't be written costs one warning, however long that lasts", () =>
    Effect.gen(function* () {
      yield* begin
      const { machine, lines, life } = makeMachine()
      machine.disk.become({ isReadOnly: true })
      const { clock, scope } = yield* life
      yield* pass(3_600)
      assert.strictEqual(yield* clock.nowMs, bornMs + 3_600_000)
      assert.lengthOf(lines, 1)
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
    })
  )

  it.effect("a disk that never answers delays a start and an end by two seconds, and stops no clock", () =>
    Effect.gen(function* () {
      yield* begin
      const { machine, life } = makeMachine()
      machine.disk.become({ faultOf: () => ({ _tag: "Hangs", part: 0 }) })
      const started = yield* Effect.forkChild(life, { startImmediately: true })
      yield* pass(5)
      const { clock, scope } = yield* started.pollUnsafe() ?? Effect.die("it still waits")
      yield* pass(600)
      assert.strictEqual(yield* clock.nowMs, bornMs + 605_000)
      const closing = yield* Effect.forkChild(Scope.close(scope, yield* Effect.exit(Effect.void)), {
        startImmediately: true
      })
      yield* pass(5)
      assert.isDefined(closing.pollUnsafe())
    })
  )

  it.effect("a clock that flaps is a line in ten minutes, and few writes", () =>
    Effect.gen(function* () {
      yield* begin
      const { machine, skew, lines, life } = makeMachine()
      yield* life
      for (let i = 0; i < 60; i++) {
        skew.wallErrorMs = i % 2 === 0 ? dayMs : 0
        yield* pass(60)
      }
      assert.isAtMost(lines.length, 2 * 7)
      assert.isAtMost(machine.renames, 60 * 8)
    })
  )
})

it.effect("timers don't notice the wall clock: reconnect delays stay in [5, 10) s while it jumps about", () =>
  Effect.gen(function* () {
    yield* begin
    const skew: Skew = { wallErrorMs: 0 }
    const dials = yield* Ref.make<ReadonlyArray<number>>([])
    const monotonicMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
    const dial = monotonicMs.pipe(
      Effect.flatMap((atMs) => Ref.update(dials, (all) => [...all, atMs])),
      Effect.andThen(Effect.fail(new SessionEnd({ reason: "dialFailed", message: "" })))
    )
    yield* dial.pipe(
      Effect.retry(kong),
      Effect.provide(skewedClock(skew)),
      Effect.forkChild({ startImmediately: true })
    )
    for (let i = 0; i < 200; i++) {
      skew.wallErrorMs = Math.round(((yield* Random.next) - 0.5) * 60 * dayMs)
      yield* Effect.andThen(TestClock.adjust("1 second"), settle)
    }
    const times = yield* Ref.get(dials)
    const delays = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0))
    assert.isAtLeast(delays.length, 20)
    for (const delay of delays) assert.isTrue(delay >= 5_000 && delay < 10_000, String(delay))
  }).pipe(Random.withSeed("clock"))
)
