/** Reference `resilience.md` §6.1: of several licences in the configuration, the newest `updated_at` wins. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { newestLicense } from "../../src/model/FoundLicense.ts"
import { cases } from "../support/cases.ts"

const row = (payload: unknown, updated_at?: unknown, more = {}) => ({
  id: String(payload),
  payload,
  updated_at,
  ...more
})

describe("the licences of a configuration", () => {
  it.each([[undefined], [null], [[]], [{}]])("%o are none", (section) =>
    assert.deepStrictEqual(newestLicense(section), { _tag: "Nothing" })
  )

  it("are told by updated_at, then created_at, then id, so that every node takes the same one", () => {
    const payloadOf = (...rows: ReadonlyArray<unknown>) => {
      const forward = newestLicense(rows)
      assert.deepStrictEqual(newestLicense([...rows].reverse()), forward)
      return forward._tag === "Text" ? forward.text : forward._tag
    }
    assert.strictEqual(payloadOf(row("a", 1), row("b", 3), row("c", 2)), "b")
    assert.strictEqual(payloadOf(row("a", null), row("b", -1)), "b")
    assert.strictEqual(payloadOf(row("a", 1, { created_at: 2 }), row("b", 1, { created_at: 1 })), "a")
    assert.strictEqual(payloadOf(row("a", 1), row("b", 1)), "b")
    for (const wrong of ["9", Number.POSITIVE_INFINITY, Number.NaN, null]) {
      assert.strictEqual(payloadOf(row("a", wrong), row("b", 1)), "b")
    }
  })

  it("an older one never stands in for a newer one that can't be read", () => {
    const found = newestLicense([row("old", 1), { id: "x", updated_at: 2, payload: { license: 1 } }])
    assert.deepStrictEqual(found, {
      _tag: "Unreadable",
      faults: [{ path: ["licenses", 1, "payload"], message: "expected a licence as text" }]
    })
  })

  it("have ids of text; another kind of id is as good as none", () => {
    const rows = [row("a", 1, { id: 9 }), row("b", 1, { id: "1" })]
    for (const all of [rows, [...rows].reverse()])
      assert.deepStrictEqual(newestLicense(all), { _tag: "Text", text: "b", updatedAt: 1 })
  })

  it.each(["x", 5, true, { a: 1 }])("%o can't be read", (section) =>
    assert.deepStrictEqual(newestLicense(section), {
      _tag: "Unreadable",
      faults: [{ path: ["licenses"], message: "expected an array of licenses" }]
    })
  )

  it("never throw, whatever stands there", () =>
    void fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue())), (section) => void newestLicense(section)),
      cases()
    ))
})
