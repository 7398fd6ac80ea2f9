/** `Retry-After` by RFC 9110 §10.2.3 and §5.6.7. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { httpDateMs, readRetryAfter, retryAfterMaxMs } from "../../src/model/RetryAfter.ts"
import { cases } from "../support/cases.ts"

const nowMs = Date.parse("2026-11-26T12:00:00Z")
const read = (text: string | undefined, date?: string) => readRetryAfter(text, { nowMs, date })

/** Independent of the parser: the pieces are put together by hand. */
const asctime = (at: Date): string => {
  const [weekday = "", day = "", month = "", year = "", time = ""] = at.toUTCString().replace(",", "").split(" ")
  return `${weekday} ${month} ${String(Number(day)).padStart(2, " ")} ${time} ${year}`
}
const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
const rfc850 = (at: Date): string => {
  const [, day = "", month = "", year = "", time = ""] = at.toUTCString().replace(",", "").split(" ")
  return `${weekdays[at.getUTCDay()]}, ${day}-${month}-${year.slice(2)} ${time} GMT`
}

describe("Retry-After in seconds", () => {
  it.each([
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7_000],
    ["007", 7_000],
    ["31622400", retryAfterMaxMs],
    ["99999999999999999999", retryAfterMaxMs],
    ["9".repeat(5_000), retryAfterMaxMs]
  ])("%s", (text, expected) => {
    assert.strictEqual(read(text), expected)
  })

  it.each([
    undefined,
    "",
    "   ",
    "-1",
    "+5",
    "1.5",
    "1e3",
    "0x10",
    "12 seconds",
    "soon",
    "5, 6",
    "NaN",
    "Infinity",
    "٣"
  ])("is nothing to wait for when it is %s", (text) => {
    assert.isUndefined(read(text))
  })
})

describe("Retry-After as a date", () => {
  it("counts from the answer's own Date, so that clocks may differ, and else from now", () => {
    const until = "Thu, 26 Nov 2026 12:01:30 GMT"
    assert.strictEqual(read(until), 90_000)
    assert.strictEqual(read(until, "Thu, 26 Nov 2026 12:01:00 GMT"), 30_000)
    assert.strictEqual(read(until, "yesterday"), 90_000)
  })

  it("in the past is no wait, and far ahead no more than a year", () => {
    assert.strictEqual(read("Thu, 26 Nov 2026 11:59:59 GMT"), 0)
    assert.strictEqual(read("Thu, 01 Jan 1970 00:00:00 GMT"), 0)
    assert.strictEqual(read("Fri, 31 Dec 9999 23:59:59 GMT"), retryAfterMaxMs)
  })

  it.each([
    "Thu, 31 Feb 2026 12:00:00 GMT",
    "Thu, 00 Nov 2026 12:00:00 GMT",
    "Thu, 26 Nov 2026 24:00:00 GMT",
    "Thu, 26 Nov 2026 12:60:00 GMT",
    "Thu, 26 Nov 2026 12:00:61 GMT",
    "Thu, 26 Now 2026 12:00:00 GMT",
    "Thu, 26 Nov 2026 12:00:00 CET",
    "Thu, 26 Nov 2026 12:00:00",
    "26 Nov 2026 12:00:00 GMT",
    "2026-11-26T12:00:00Z",
    "Thu, 26 Nov 2026 12:00:00 GMT and more"
  ])("is nothing to wait for when no calendar or no grammar has it: %s", (text) => {
    assert.isUndefined(read(text))
  })

  it("reads an obsolete year of two digits as the nearest that is not more than 50 years ahead", () => {
    assert.strictEqual(httpDateMs("Sunday, 06-Nov-94 08:49:37 GMT", nowMs), Date.parse("1994-11-06T08:49:37Z"))
    assert.strictEqual(httpDateMs("Friday, 06-Nov-76 08:49:37 GMT", nowMs), Date.parse("2076-11-06T08:49:37Z"))
    assert.strictEqual(httpDateMs("Sunday, 06-Nov-77 08:49:37 GMT", nowMs), Date.parse("1977-11-06T08:49:37Z"))
  })

  it("reads every instant in all three forms", () => {
    const instant = fc.integer({ min: 0, max: Math.floor(Date.parse("2070-01-01T00:00:00Z") / 1000) })
    fc.assert(
      fc.property(instant, (seconds) => {
        const at = new Date(seconds * 1000)
        for (const text of [at.toUTCString(), asctime(at)])
          assert.strictEqual(httpDateMs(text, nowMs), seconds * 1000, text)
        if (at.getUTCFullYear() >= 1977) assert.strictEqual(httpDateMs(rfc850(at), nowMs), seconds * 1000)
      }),
      cases()
    )
  })
})

describe("whatever a peer sends as Retry-After", () => {
  it("is nothing, or an integer between 0 and a year", () => {
    const halfRight = fc.stringMatching(/^[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{2,4} \d{2}:\d{2}:\d{2} (GMT|UTC)$/)
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^-?\d{1,30}$/), halfRight),
        fc.option(fc.oneof(fc.string(), halfRight), { nil: undefined }),
        (text, date) => {
          const asked = read(text, date)
          assert.isTrue(asked === undefined || (Number.isSafeInteger(asked) && asked >= 0 && asked <= retryAfterMaxMs))
        }
      ),
      cases(1_000)
    )
  })
})
