/**
 * Fixed log-linear buckets for latencies: every power of two of microseconds is cut into 8 equal parts, so that a value is
 * known within 12.5 % of itself, and histograms of different nodes and windows add up bucket by bucket.
 */

const subBits = 3
const subCount = 1 << subBits
/** Latencies above 2^36 µs, some 19 hours, count as that. */
const maxExponent = 36

/** The number of buckets; a bucket is named by an integer below it. */
export const bucketCount = subCount + (maxExponent - subBits) * subCount

const lastBucket = bucketCount - 1
const maxUs = 2 ** maxExponent

/** The bucket of a latency in milliseconds. Allocates nothing. */
export const bucketOf = (ms: number): number => {
  const us = ms * 1000
  if (!(us >= subCount)) return us > 0 ? Math.trunc(us) : 0
  if (us >= maxUs) return lastBucket
  // Shifts of 32 bits cost a fraction of a division by a power.
  if (us < 2 ** 32) {
    const exponent = 31 - Math.clz32(us)
    return exponent * subCount + (us >>> (exponent - subBits)) - subBits * subCount
  }
  const upper = Math.trunc(us / 2 ** 16)
  const exponent = 47 - Math.clz32(upper)
  return exponent * subCount + (upper >>> (exponent - 16 - subBits)) - subBits * subCount
}

/** The smallest latency that falls into a bucket, in milliseconds. */
export const bucketFloorMs = (bucket: number): number => {
  if (bucket < subCount) return bucket / 1000
  const at = bucket - subCount
  const exponent = Math.trunc(at / subCount) + subBits
  return (2 ** (exponent - subBits) * (subCount + (at % subCount))) / 1000
}

/** Where the bucket ends, in milliseconds: the next one begins there. */
export const bucketEndMs = (bucket: number): number => bucketFloorMs(bucket + 1)
