/** Latency histograms as records carry them: `[bucket, count]`, each bucket at most once, in rising order. */
import { bucketCount, bucketEndMs, bucketFloorMs } from "./LatencyBuckets.ts"

export type Histogram = ReadonlyArray<readonly [bucket: number, count: number]>

/** Beyond this a number is no longer exact, and neither SQLite nor JSON would give it back: a count stops there. */
export const add = (one: number, other: number): number => Math.min(one + other, Number.MAX_SAFE_INTEGER)

/** Adds to a histogram under construction; a bucket that there is not counts as the last one. */
export const addHistogram = (to: Map<number, number>, histogram: Histogram): void => {
  for (const [given, count] of histogram) {
    const bucket = Math.min(given, bucketCount - 1)
    to.set(bucket, add(to.get(bucket) ?? 0, count))
  }
}

export const histogramOf = (buckets: ReadonlyMap<number, number>): Histogram =>
  [...buckets].sort(([one], [other]) => one - other)

/**
 * The latency below which this share of the requests stayed, in milliseconds: interpolated within its bucket, and so within
 * 12.5 % of the truth. `null` where nothing was counted.
 */
export const quantileMs = (histogram: Histogram, share: number): number | null => {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0)
  if (total === 0) return null
  const rank = share * total
  let below = 0
  for (const [bucket, count] of histogram) {
    if (count > 0 && below + count >= rank) {
      const floorMs = bucketFloorMs(bucket)
      return floorMs + ((rank - below) / count) * (bucketEndMs(bucket) - floorMs)
    }
    below += count
  }
  return null
}
