import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { isUuid } from "../../src/model/Field.ts"
import { Ids } from "../../src/services/control/Ids.ts"
import { SecureRandom } from "../../src/services/SecureRandom.ts"
import { layerIds, layerSecureRandom, makeRandom } from "../../src/testing/SeededRandom.ts"

const draws = (seed: number | string, count = 1_000) => {
  const random = makeRandom(seed)
  return Array.from({ length: count }, () => random.next())
}

describe("randomness from a seed", () => {
  it("is the same for the same seed and no other", () => {
    assert.deepStrictEqual(draws(7), draws("7"))
    assert.notDeepEqual(draws(7), draws(8))
    assert.notDeepEqual(draws("a"), draws("b"))
  })

  it("is evenly spread over [0, 1)", () => {
    const tenths = Array.from({ length: 10 }, () => 0)
    for (const draw of draws(1, 20_000)) {
      assert.isTrue(draw >= 0 && draw < 1)
      tenths[Math.floor(draw * 10)] = (tenths[Math.floor(draw * 10)] ?? 0) + 1
    }
    for (const count of tenths) assert.isTrue(count > 1_800 && count < 2_200, `${tenths}`)
  })

  it("has streams that know nothing of each other", () => {
    const one = makeRandom(3)
    const other = makeRandom(3)
    for (let turn = 0; turn < 50; turn++) other.next()
    assert.strictEqual(one.stream("links").next(), other.stream("links").next())
    assert.notStrictEqual(one.stream("links").next(), one.stream("disks").next())
  })

  it("draws within its bounds", () => {
    const random = makeRandom("bounds")
    for (let turn = 0; turn < 2_000; turn++) {
      const whole = random.int(-3, 3)
      assert.isTrue(Number.isInteger(whole) && whole >= -3 && whole <= 3)
      const real = random.between(5, 10)
      assert.isTrue(real >= 5 && real < 10)
      assert.isTrue(random.exponential(10) >= 0)
      assert.isTrue(Number.isSafeInteger(random.nextIntUnsafe()))
    }
    assert.isFalse(random.chance(0))
    assert.isTrue(random.chance(1))
    assert.strictEqual(random.pick(["only"]), "only")
    assert.throws(() => random.pick([]), RangeError)
  })

  it("makes ids and bytes that a world can repeat", async () => {
    const make = () =>
      Effect.runPromise(
        Effect.gen(function* () {
          return [yield* (yield* Ids).uuid, [...(yield* (yield* SecureRandom).bytes(16))]] as const
        }).pipe(Effect.provide([layerIds(makeRandom("ids")), layerSecureRandom(makeRandom("bytes"))]))
      )
    const [id, bytes] = await make()
    assert.isTrue(isUuid(id))
    assert.strictEqual(bytes.length, 16)
    assert.deepStrictEqual(await make(), [id, bytes])
  })
})
