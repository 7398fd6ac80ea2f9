/** When it is time to say that a certificate expires: 30, 7 and 1 days before, and when it has. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { daysLeft, dueWarning, untilNextWarningMs } from "../../src/model/CertificateExpiry.ts"
import { cases } from "../support/cases.ts"

const dayMs = 86_400_000
const endMs = Date.parse("2027-01-01T00:00:00Z")

describe("the warning that is due", () => {
  it.each([
    [31, undefined, 31],
    [30, 30, 30],
    [7.5, 30, 7],
    [7, 7, 7],
    [1.01, 7, 1],
    [1, 1, 1],
    [0.5, 1, 0],
    [0, 0, 0],
    [-100, 0, 0]
  ])("%s days before the end", (days, warning, left) => {
    const nowMs = endMs - days * dayMs
    assert.strictEqual(dueWarning(endMs, nowMs), warning)
    assert.strictEqual(daysLeft(endMs, nowMs), left)
  })

  it("is found in time, each once, by whoever waits as long as is said", () => {
    const start = fc.integer({ min: endMs - 400 * dayMs, max: endMs + 10 * dayMs })
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: 40 * dayMs }), (startMs, longestWaitMs) => {
        const told: Array<number> = []
        let nowMs = startMs
        for (;;) {
          const due = dueWarning(endMs, nowMs)
          if (due !== undefined && due !== told.at(-1)) {
            told.push(due)
            if (nowMs > startMs) assert.strictEqual(nowMs, endMs - due * dayMs)
          }
          const waitMs = untilNextWarningMs(endMs, nowMs)
          if (waitMs === undefined) break
          assert.isAbove(waitMs, 0)
          nowMs += Math.min(waitMs, Math.max(longestWaitMs, dayMs))
        }
        const passed = [30, 7, 1, 0].filter((days) => endMs - days * dayMs > startMs)
        const first = dueWarning(endMs, startMs)
        assert.deepStrictEqual(told, first === undefined ? passed : [first, ...passed])
      }),
      cases(500)
    )
  })
})
