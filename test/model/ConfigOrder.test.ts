/** Which of two configurations stays where there is room for one (`docs/object-storage.md`, "Newest wins"). */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { orderOf, prevails, type Standing } from "../../src/model/ConfigOrder.ts"
import { holds } from "../support/property.ts"

const digests = fc.constantFrom("a".repeat(64), "b".repeat(64))

const numbered: fc.Arbitrary<Standing> = fc.record({
  epoch: fc.constantFrom("2026-01", "2026-02"),
  sequence: fc.integer({ min: 0, max: 3 }),
  issuedAtMs: fc.integer({ min: 0, max: 3 }),
  sha256: digests
})
const dated: fc.Arbitrary<Standing> = fc.record({ issuedAtMs: fc.integer({ min: 0, max: 3 }), sha256: digests })

const reverse = { ours: "theirs", theirs: "ours", there: "there" } as const

describe("what prevails", () => {
  for (const [name, standings] of Object.entries({ numbered, dated }))
    it(`is the same for all who decide, and goes one way only: ${name}`, () => {
      holds(fc.tuple(standings, standings, standings), ([a, b, c]) => {
        assert.strictEqual(prevails(b, a), reverse[prevails(a, b)])
        if (prevails(a, b) === "ours" && prevails(b, c) === "ours") assert.strictEqual(prevails(a, c), "ours")
      })
    })

  it("is never the older one, and the same content moves on with its number", () => {
    holds(fc.tuple(numbered, numbered), ([a, b]) => {
      const { sha256: _, ...place } = a
      const order = orderOf(place, b)
      if (order === "older") assert.strictEqual(prevails(a, b), "theirs")
      if (order === "newer") assert.strictEqual(prevails(a, b), "ours")
      if (order === "same") assert.strictEqual(prevails(a, b) === "there", a.sha256 === b.sha256)
    })
  })
})
