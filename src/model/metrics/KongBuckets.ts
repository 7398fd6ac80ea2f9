/**
 * Kong's latency buckets, folded from the finer ones that requests are counted by (`telemetry/LatencyBuckets.ts`). Each of
 * Kong's bounds is taken at the nearest edge of a fine bucket: never off by more than 6.25 % of itself, and always the same way,
 * so that counts never go back. Counts and sums are exact.
 */
import { bucketEndMs, bucketFloorMs, bucketOf } from "../telemetry/LatencyBuckets.ts"
import type { HistogramValue } from "./Series.ts"

/** What a latency was counted by. */
interface Counted {
  readonly buckets: ArrayLike<number>
  readonly count: number
  readonly sumMs: number
}

export interface BoundScale {
  readonly boundsMs: ReadonlyArray<number>
  /** For each bound the first fine bucket that lies above it. */
  readonly edges: ReadonlyArray<number>
}

const edgeNear = (boundMs: number): number => {
  const bucket = bucketOf(boundMs)
  const isNearerToFloor = boundMs - bucketFloorMs(bucket) < bucketEndMs(bucket) - boundMs
  return isNearerToFloor ? bucket : bucket + 1
}

const scaleOf = (boundsMs: ReadonlyArray<number>): BoundScale => ({ boundsMs, edges: boundsMs.map(edgeNear) })

/** Of `kong_kong_latency_ms`. */
export const kongLatencyScale = scaleOf([1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000])

/** Of `kong_upstream_latency_ms` and `kong_request_latency_ms`. */
export const upstreamLatencyScale = scaleOf([25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000])

const cumulativeOf = ({ buckets }: Counted, edges: ReadonlyArray<number>): ReadonlyArray<number> => {
  let below = 0
  let next = 0
  return edges.map((edge) => {
    for (; next < edge; next++) below += buckets[next] ?? 0
    return below
  })
}

/** The sum of several, on one scale. */
export const foldLatencies = (counted: ReadonlyArray<Counted>, { boundsMs, edges }: BoundScale): HistogramValue => {
  const parts = counted.map((one) => cumulativeOf(one, edges))
  return {
    bounds: boundsMs,
    cumulative: edges.map((_, at) => parts.reduce((sum, part) => sum + (part[at] ?? 0), 0)),
    count: counted.reduce((sum, { count }) => sum + count, 0),
    sum: counted.reduce((sum, { sumMs }) => sum + sumMs, 0)
  }
}
