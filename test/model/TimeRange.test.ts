import { assert, it } from "@effect/vitest"
import { readInstant } from "../../src/model/TimeRange.ts"

it("a moment is ISO 8601 or Unix seconds", () => {
  const noon = Date.UTC(2026, 10, 23, 12)
  for (const text of [
    "2026-11-23T12:00:00Z",
    "2026-11-23T12:00",
    "2026-11-23T12:00:00.000Z",
    "2026-11-23T14:00:00+02:00",
    "2026-11-23T14:00:00 02:00",
    String(noon / 1000)
  ])
    assert.strictEqual(readInstant(text), noon, text)
  assert.strictEqual(readInstant("2026-11-23"), Date.UTC(2026, 10, 23))
  for (const text of ["", "noon", "2026-13-01", "2026-11-23 12:00:00", "-5", "1e9", "11/23/2026", "123456789012"])
    assert.isUndefined(readInstant(text), text)
})
