import { assert, describe, it } from "@effect/vitest"
import { bucketCount, bucketEndMs, bucketFloorMs, bucketOf } from "../../../src/model/telemetry/LatencyBuckets.ts"

describe("latency buckets", () => {
  it("are counted up without a gap: each begins where the one before ends, and holds its own floor", () => {
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      assert.strictEqual(bucketOf(bucketFloorMs(bucket)), bucket)
      assert.strictEqual(bucketEndMs(bucket), bucketFloorMs(bucket + 1))
      // The last whole number of a thousandth of a microsecond below the end still belongs to it.
      if (bucket < bucketCount - 1) assert.strictEqual(bucketOf(bucketEndMs(bucket) * (1 - 1e-12)), bucket)
    }
  })

  it("are at most an eighth of their value wide from 8 µs on", () => {
    for (let bucket = 8; bucket < bucketCount; bucket++) {
      assert.isAtMost((bucketEndMs(bucket) - bucketFloorMs(bucket)) / bucketFloorMs(bucket), 0.125 + 1e-9)
    }
  })

  it.each([
    [0, 0],
    [-1, 0],
    [Number.NaN, 0],
    [1e300, bucketCount - 1],
    [Number.POSITIVE_INFINITY, bucketCount - 1]
  ])("take whatever a clock may give: %s ms", (ms, bucket) => assert.strictEqual(bucketOf(ms), bucket))
})
