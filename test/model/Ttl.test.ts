/** Rows that end by themselves: `config-model.md` §3. */
import { assert, describe, it } from "@effect/vitest"
import { expiresAt, expiringFrom, isExpired, withMomentOfExpiry, withSecondsLeft } from "../../src/model/Ttl.ts"

const bornMs = 1_700_000_000_000
const born = bornMs / 1000

describe("a row with a ttl", () => {
  it("is there until ttl seconds after its creation, and not at that moment", () => {
    const row = { created_at: born, ttl: 60 }
    assert.isFalse(isExpired(row, bornMs + 59_999))
    assert.isTrue(isExpired(row, bornMs + 60_000))
  })

  it("that was sent as the moment itself, as Kong sends it, ends then, whenever it was created", () => {
    for (const created_at of [born, undefined, null, 0]) {
      const row = { created_at, ttl: born + 60 }
      assert.strictEqual(expiresAt(row), born + 60)
      assert.isFalse(isExpired(row, bornMs + 59_999))
      assert.isTrue(isExpired(row, bornMs + 60_000))
    }
  })

  it("without a beginning is over: nobody can say that it still counts", () => {
    assert.isTrue(isExpired({ ttl: 100_000_000 }, 0))
    assert.isTrue(isExpired({ ttl: 5, created_at: null }, 1))
  })

  it("of none stays for ever", () => {
    for (const row of [{}, { ttl: null }, { ttl: undefined, created_at: 0 }]) {
      assert.isFalse(isExpired(row, Number.MAX_SAFE_INTEGER))
      assert.strictEqual(withMomentOfExpiry(row), row)
      assert.strictEqual(expiringFrom(row, bornMs), row)
      assert.strictEqual(withSecondsLeft(row, bornMs), row)
    }
  })

  it("of 0 is over at once", () => {
    assert.isTrue(isExpired({ created_at: born, ttl: 0 }, bornMs))
  })
})

describe("a control plane", () => {
  it("keeps the moment: from now on for one row that is written, from its creation in a whole configuration", () => {
    const row = { created_at: born - 1000, ttl: 60 }
    assert.deepStrictEqual(expiringFrom(row, bornMs + 999), { created_at: born - 1000, ttl: born + 60 })
    assert.deepStrictEqual(withMomentOfExpiry(row), { created_at: born - 1000, ttl: born - 940 })
  })

  it("keeps it over writes that don't speak of it", () => {
    const kept = expiringFrom({ ttl: 60 }, bornMs)
    assert.deepStrictEqual(expiringFrom(kept, bornMs + 50_000), kept)
  })

  it("shows the seconds that are left, and of a row that is there never the 0 that would keep it for ever", () => {
    assert.deepStrictEqual(withSecondsLeft({ ttl: born + 60 }, bornMs), { ttl: 60 })
    assert.deepStrictEqual(withSecondsLeft({ ttl: born + 60 }, bornMs + 500), { ttl: 60 })
    assert.deepStrictEqual(withSecondsLeft({ ttl: born + 60 }, bornMs + 59_999), { ttl: 1 })
    assert.deepStrictEqual(withSecondsLeft({ ttl: born + 60 }, bornMs + 90_000), { ttl: 0 })
  })
})
