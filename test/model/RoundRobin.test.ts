import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { makeRoundRobin } from "../../src/model/RoundRobin.ts"

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

const targetsOf = (weights: ReadonlyArray<number>) =>
  weights.map((weight, index) => ({ address: { host: `h${index}`, port: 80 }, weight }))

describe("round robin, proxy-behaviour.md §7", () => {
  it("chooses nobody when nobody has weight", () => {
    assert.strictEqual(makeRoundRobin([]).next(), undefined)
    assert.strictEqual(makeRoundRobin(targetsOf([0, 0])).next(), undefined)
  })

  it("interleaves: a heavy target gets no burst", () => {
    const balancer = makeRoundRobin(targetsOf([300, 100, 100]))
    const chosen = Array.from({ length: 5 }, () => balancer.next()?.host)
    assert.deepStrictEqual(chosen, ["h0", "h1", "h0", "h2", "h0"])
  })

  it("every full turn gives each address exactly weight/gcd of its slots", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 6 }), (weights) => {
        const balancer = makeRoundRobin(targetsOf(weights))
        const divisor = weights.reduce(gcd, 0) || 1
        const slots = weights.reduce((sum, weight) => sum + weight / divisor, 0)
        for (let turn = 0; turn < 2; turn++) {
          const counts = new Map<string | undefined, number>()
          for (let slot = 0; slot < slots; slot++) {
            const host = balancer.next()?.host
            counts.set(host, (counts.get(host) ?? 0) + 1)
          }
          weights.forEach((weight, index) => {
            assert.strictEqual(counts.get(`h${index}`) ?? 0, weight / divisor)
          })
        }
      }),
      { seed: 20261123, numRuns: 200 }
    )
  })
})
