/** When it is time to say that a certificate or a licence ends, and when it has: each warning once, at its exact millisecond. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import {
  certificateWarningDays,
  dueWarning,
  licenseWarningDays,
  nextWarningAtMs
} from "../../src/model/ExpiryWarnings.ts"
import { cases } from "../support/cases.ts"

const dayMs = 86_400_000
const endMs = Date.parse("2027-01-01T00:00:00Z")

describe("the warning that is due", () => {
  it.each([
    [31, undefined],
    [30, 30],
    [7.5, 30],
    [7, 7],
    [1.01, 7],
    [1, 1],
    [0.5, 1],
    [0, 0],
    [-100, 0]
  ])("%s days before the end of a certificate", (days, warning) =>
    assert.strictEqual(dueWarning(certificateWarningDays, endMs, endMs - days * dayMs), warning)
  )

  const lists: ReadonlyArray<readonly [thing: string, days: ReadonlyArray<number>]> = [
    ["certificate", certificateWarningDays],
    ["licence", licenseWarningDays]
  ]
  it.each(lists)("of a %s is found in time, each once, by whoever waits as long as is said", (_thing, days) => {
    const start = fc.integer({ min: endMs - 400 * dayMs, max: endMs + 10 * dayMs })
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: 40 * dayMs }), (startMs, longestWaitMs) => {
        const told: Array<number> = []
        let nowMs = startMs
        for (;;) {
          const due = dueWarning(days, endMs, nowMs)
          if (due !== undefined && due !== told.at(-1)) {
            told.push(due)
            if (nowMs > startMs) assert.strictEqual(nowMs, endMs - due * dayMs)
          }
          const nextMs = nextWarningAtMs(days, endMs, nowMs)
          if (nextMs === undefined) break
          assert.isAbove(nextMs, nowMs)
          assert.strictEqual(dueWarning(days, endMs, nextMs - 1), told.at(-1))
          nowMs = Math.min(nextMs, nowMs + Math.max(longestWaitMs, dayMs))
        }
        const passed = days.filter((each) => endMs - each * dayMs > startMs)
        const first = dueWarning(days, endMs, startMs)
        assert.deepStrictEqual(told, first === undefined ? passed : [first, ...passed])
      }),
      cases(500)
    )
  })

  it("comes at 30, 7, 1 and 0 days for a certificate, at 90, 30, 16, 7, 1 and 0 for a licence", () =>
    assert.deepStrictEqual<unknown>(
      [certificateWarningDays, licenseWarningDays],
      [
        [30, 7, 1, 0],
        [90, 30, 16, 7, 1, 0]
      ]
    ))
})
