/** A node that is turned away all day is a few lines, not thousands; and so is one that comes from everywhere. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { makeRefusalLog } from "../../../src/layers/cluster-listener/RefusalLog.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"

it.effect("a refusal is told once, then counted every five minutes; another one is told by itself", () => {
  const lines: Array<unknown> = []
  const logger = Logger.make(({ fiber }) => {
    lines.push({ ...fiber.getRef(References.CurrentLogAnnotations) })
  })
  return Effect.gen(function* () {
    const log = yield* makeRefusalLog
    const refusal = { ip: "10.0.0.1", reason: "no client certificate" }
    for (let i = 0; i < 100; i++) {
      yield* log(refusal)
      yield* TestClock.adjust("7 seconds")
    }
    yield* log({ ...refusal, ip: "10.0.0.2" })
    assert.deepStrictEqual(lines, [
      refusal,
      { ...refusal, times_since: 43 },
      { ...refusal, times_since: 43 },
      { ...refusal, ip: "10.0.0.2" }
    ])
  }).pipe(Effect.provide(Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "All"))))
})

const from = (n: number) => ({ ip: `2001:db8::${n.toString(16)}`, reason: "no client certificate" })

it.effect("from ever new addresses, so many lines are told in five minutes, and the others are counted", () => {
  const logs = recordedLogs()
  return Effect.gen(function* () {
    const log = yield* makeRefusalLog
    for (let i = 0; i < 10_010; i++) yield* log(from(i % 1_001))
    assert.lengthOf(logs.lines, 100)
    assert.isUndefined(logs.lines[98]?.others)
    assert.isString(logs.lines[99]?.others)
    yield* TestClock.adjust("5 minutes")
    yield* log(from(5_000))
    yield* log(from(5_001))
    // Of 1001 addresses, 901 were not told at all, ten times each.
    assert.strictEqual(logs.lines[100]?.others_untold, 9_010)
    assert.isUndefined(logs.lines[101]?.others_untold)
  }).pipe(Effect.provide(logs.layer))
})

it.effect("from more addresses than are kept, what was told longest ago is forgotten, and nothing else", () => {
  const logs = recordedLogs()
  return Effect.gen(function* () {
    const log = yield* makeRefusalLog
    for (let i = 0; i < 1_000; i++) {
      if (i % 90 === 0) yield* TestClock.adjust("5 minutes")
      yield* log(from(i))
    }
    yield* log(from(999))
    yield* log(from(1_000))
    assert.lengthOf(logs.lines, 1_001)
    yield* TestClock.adjust("5 minutes")
    yield* log(from(999))
    yield* log(from(0))
    assert.deepEqual(
      logs.lines.slice(1_001).map(({ times_since }) => times_since),
      [2, undefined]
    )
  }).pipe(Effect.provide(logs.layer))
})
