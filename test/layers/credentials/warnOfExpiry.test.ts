/** The end of the cluster certificate is told in time, by the node's idea of now, once for each certificate. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { warnOfExpiry } from "../../../src/layers/credentials/warnOfExpiry.ts"
import type { ClusterCredentials } from "../../../src/services/ClusterIdentity.ts"
import { settle } from "../../support/live.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"

const dayMs = 86_400_000

const certificate = (name: string, expiresAtMs: number): ClusterCredentials => ({
  cert: name,
  key: "never shown",
  fingerprint256: name,
  commonName: undefined,
  expiresAtMs,
  authorities: [],
  memberAuthorities: [],
  proxyAuthorities: [],
  former: undefined
})

const stage = Effect.fnUntraced(function* (first: ClusterCredentials) {
  const current = yield* SubscriptionRef.make(first)
  const jumps = yield* SubscriptionRef.make(0)
  const logs = recordedLogs()
  let aheadMs = 0
  const nowMs = Effect.map(Clock.currentTimeMillis, (now) => now + aheadMs)
  yield* Effect.forkScoped(
    warnOfExpiry({ current }, { nowMs, jumps, confirm: () => Effect.void, facts: Effect.die("nobody asks here") }).pipe(
      Effect.provide(logs.layer)
    )
  )
  yield* settle
  const pass = Effect.fnUntraced(function* (days: number) {
    for (let i = 0; i < days * 4; i++) yield* Effect.andThen(TestClock.adjust(dayMs / 4), settle)
  })
  const jump = Effect.fnUntraced(function* (byMs: number) {
    aheadMs += byMs
    yield* SubscriptionRef.update(jumps, (count) => count + 1)
    yield* settle
  })
  const told = () => logs.lines.map(({ message, days_left }) => (message.includes("expired") ? "expired" : days_left))
  return { current, logs, pass, jump, told }
})

describe("a certificate near its end", () => {
  it.effect("is told of 30, 7 and 1 days before and when it is over, once each", () =>
    Effect.gen(function* () {
      const { pass, told, logs } = yield* stage(certificate("a", 100 * dayMs))
      yield* pass(69)
      assert.deepStrictEqual(told(), [])
      yield* pass(1)
      assert.deepStrictEqual(told(), [30])
      yield* pass(50)
      assert.deepStrictEqual(told(), [30, 7, 1, "expired"])
      assert.isTrue(logs.lines.every(({ level }) => level === "Warn"))
      assert.strictEqual(logs.lines[0]?.expires_at, new Date(100 * dayMs).toISOString())
      assert.notInclude(JSON.stringify(logs.lines), "never shown")
    })
  )

  it.effect("is told of at once when a process starts late, by the most urgent warning alone", () =>
    Effect.gen(function* () {
      const { told, pass } = yield* stage(certificate("a", 5.5 * dayMs))
      assert.deepStrictEqual(told(), [5])
      yield* pass(1)
      assert.deepStrictEqual(told(), [5])
    })
  )

  it.effect("is forgotten when another one takes its place, which has warnings of its own", () =>
    Effect.gen(function* () {
      const { current, pass, told } = yield* stage(certificate("a", 31 * dayMs))
      yield* pass(2)
      yield* SubscriptionRef.set(current, certificate("b", 80 * dayMs))
      yield* pass(47)
      assert.deepStrictEqual(told(), [30])
      yield* pass(2)
      assert.deepStrictEqual(told(), [30, 30])
      yield* SubscriptionRef.set(current, certificate("c", 53 * dayMs))
      yield* settle
      assert.deepStrictEqual(told(), [30, 30, 2])
    })
  )

  it.effect("is looked at again when the clock has jumped; what was told is not told again when it jumps back", () =>
    Effect.gen(function* () {
      const { jump, told } = yield* stage(certificate("a", 100 * dayMs))
      yield* jump(95 * dayMs)
      assert.deepStrictEqual(told(), [5])
      yield* jump(-95 * dayMs)
      yield* jump(80 * dayMs)
      yield* jump(15 * dayMs)
      assert.deepStrictEqual(told(), [5])
      yield* jump(6 * dayMs)
      assert.deepStrictEqual(told(), [5, "expired"])
    })
  )
})
