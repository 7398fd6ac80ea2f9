/** A node that is turned away all day is a few lines, not thousands. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { makeRefusalLog } from "../../../src/layers/cluster-listener/RefusalLog.ts"

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
