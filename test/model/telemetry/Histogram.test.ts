import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { add, addHistogram, type Histogram, histogramOf, quantileMs } from "../../../src/model/telemetry/Histogram.ts"
import { bucketCount, bucketEndMs, bucketFloorMs, bucketOf } from "../../../src/model/telemetry/LatencyBuckets.ts"
import { holds } from "../../support/property.ts"

const histogramFrom = (values: ReadonlyArray<number>): Histogram => {
  const buckets = new Map<number, number>()
  for (const ms of values) addHistogram(buckets, [[bucketOf(ms), 1]])
  return histogramOf(buckets)
}

const latencies = fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 50 })

describe("histograms", () => {
  it("add up as the latencies that they are made of", () =>
    holds(fc.tuple(latencies, latencies), ([one, other]) => {
      const buckets = new Map<number, number>(histogramFrom(one))
      addHistogram(buckets, histogramFrom(other))
      assert.deepStrictEqual(histogramOf(buckets), histogramFrom([...one, ...other]))
    }))

  it("give a quantile that lies in the bucket of the true one", () =>
    holds(fc.tuple(latencies, fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1)), ([values, share]) => {
      const ordered = [...values].sort((a, b) => a - b)
      const bucket = bucketOf(ordered[Math.ceil(share * values.length) - 1] ?? 0)
      const quantile = quantileMs(histogramFrom(values), share) ?? -1
      assert.isAtLeast(quantile, bucketFloorMs(bucket))
      assert.isAtMost(quantile, bucketEndMs(bucket))
    }))

  it("of nothing has no quantile; a bucket that there is not is the last one; a sum stays exact", () => {
    assert.isNull(quantileMs([], 0.5))
    assert.isNull(quantileMs([[3, 0]], 0.5))
    const buckets = new Map<number, number>()
    addHistogram(buckets, [[1e9, 2]])
    assert.deepStrictEqual(histogramOf(buckets), [[bucketCount - 1, 2]])
    assert.strictEqual(add(Number.MAX_SAFE_INTEGER, 5), Number.MAX_SAFE_INTEGER)
  })
})
