/** Kong's histogram bounds (proxy-behaviour.md §12), and how far those that are counted by lie from them. */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { foldLatencies, kongLatencyScale, upstreamLatencyScale } from "../../../src/model/metrics/KongBuckets.ts"
import { bucketCount, bucketFloorMs, bucketOf } from "../../../src/model/telemetry/LatencyBuckets.ts"
import { holds } from "../../support/property.ts"

const counted = (latencies: ReadonlyArray<number>) => {
  const buckets = new Array<number>(bucketCount).fill(0)
  for (const ms of latencies) buckets[bucketOf(ms)] = (buckets[bucketOf(ms)] ?? 0) + 1
  return { buckets, count: latencies.length, sumMs: latencies.reduce((sum, ms) => sum + ms, 0) }
}

describe("Kong's buckets", () => {
  it("are those of its plugin", () => {
    assert.deepEqual(kongLatencyScale.boundsMs, [1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000])
    assert.deepEqual(
      upstreamLatencyScale.boundsMs,
      [25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000]
    )
  })

  it("are off by 6.25 % at most", () => {
    for (const { boundsMs, edges } of [kongLatencyScale, upstreamLatencyScale]) {
      boundsMs.forEach((bound, at) => {
        assert.isAtMost(Math.abs(bucketFloorMs(edges[at] ?? 0) - bound) / bound, 0.0625)
      })
    }
  })

  it("count what is clearly below a bound and nothing that is clearly above it; count and sum are exact", () => {
    const latency = fc.double({ min: 0, max: 100_000, noNaN: true })
    holds(fc.array(latency, { maxLength: 50 }), (latencies) => {
      const { bounds, cumulative, count, sum } = foldLatencies([counted(latencies)], upstreamLatencyScale)
      bounds.forEach((bound, at) => {
        const found = cumulative[at] ?? -1
        assert.isAtLeast(found, latencies.filter((ms) => ms < bound * 0.9375).length)
        assert.isAtMost(found, latencies.filter((ms) => ms <= bound * 1.0625).length)
      })
      assert.strictEqual(count, latencies.length)
      assert.strictEqual(sum, counted(latencies).sumMs)
    })
  })

  it("of several are the sums of each", () => {
    const [a, b] = [counted([0.5, 3, 40]), counted([3, 2000])]
    const both = foldLatencies([a, b], kongLatencyScale)
    const [one, other] = [foldLatencies([a], kongLatencyScale), foldLatencies([b], kongLatencyScale)]
    assert.deepEqual(
      both.cumulative,
      one.cumulative.map((value, at) => value + (other.cumulative[at] ?? 0))
    )
    assert.deepEqual([both.count, both.sum], [5, 2046.5])
    assert.deepEqual(
      foldLatencies([], kongLatencyScale).cumulative,
      kongLatencyScale.boundsMs.map(() => 0)
    )
  })
})
