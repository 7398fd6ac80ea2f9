/** The numbers of the wait between two attempts: `Retry-After` is a floor, the policy is another. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { backoffCeilingMs, reconnectDelayMs, retryAfterJitterMs } from "../../src/model/reconnectDelay.ts"
import { holds } from "../support/property.ts"

describe("the ceiling of a backoff", () => {
  it("is 10 s for the first attempt, and doubles", () => {
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((attempt) => backoffCeilingMs(attempt, 1e9)),
      [10_000, 20_000, 40_000, 80_000]
    )
  })

  it("ends at the cap", () => {
    assert.strictEqual(backoffCeilingMs(4, 120_000), 120_000)
    assert.strictEqual(backoffCeilingMs(0, 3_000), 3_000)
  })

  it("stays a number, however many attempts there were", () => {
    assert.strictEqual(backoffCeilingMs(1_000_000, 120_000), 120_000)
    assert.isTrue(Number.isFinite(backoffCeilingMs(1_000_000, Number.POSITIVE_INFINITY)))
  })
})

describe("the delay before the next attempt", () => {
  it("is the policy's when nobody said when to come back", () => {
    assert.strictEqual(reconnectDelayMs(7_250.5, { retryAfterMs: undefined, capMs: 300_000, share: 0.9 }), 7_250.5)
  })

  it("is what the control plane said, and a share of 5 s on top", () => {
    assert.strictEqual(reconnectDelayMs(7_000, { retryAfterMs: 60_000, capMs: 300_000, share: 0 }), 60_000)
    assert.strictEqual(reconnectDelayMs(7_000, { retryAfterMs: 60_000, capMs: 300_000, share: 0.5 }), 62_500)
  })

  it("is capped before the jitter: those who were told too long a time are spread as well", () => {
    assert.strictEqual(reconnectDelayMs(7_000, { retryAfterMs: 900_000, capMs: 300_000, share: 0.5 }), 302_500)
  })

  it("is the policy's when that is longer: nobody comes sooner than the policy wants", () => {
    assert.strictEqual(reconnectDelayMs(90_000, { retryAfterMs: 1_000, capMs: 300_000, share: 0.5 }), 90_000)
  })

  it("keeps every bound at once", () => {
    const ms = fc.double({ min: 0, max: 1e6, noNaN: true })
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    holds(fc.tuple(ms, ms, ms, share), ([policyMs, retryAfterMs, capMs, jitter]) => {
      const delayMs = reconnectDelayMs(policyMs, { retryAfterMs, capMs, share: jitter })
      assert.isAtLeast(delayMs, policyMs)
      assert.isAtLeast(delayMs, Math.min(retryAfterMs, capMs))
      assert.isAtMost(delayMs, Math.max(policyMs, capMs + retryAfterJitterMs))
    })
  })
})
