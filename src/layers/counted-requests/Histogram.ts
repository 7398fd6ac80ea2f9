/**
 * A latency histogram that grows to the highest bucket that it needs: most latencies are milliseconds, and a node may have
 * tens of thousands of these. Adding allocates nothing but when it grows, at most once for each power of two.
 */
import { bucketCount, bucketOf } from "../../model/telemetry/LatencyBuckets.ts"
import type { Latency } from "../../services/RequestCounters.ts"

const step = 8

const none = new Float64Array(0)

export class Histogram implements Latency {
  buckets = none
  /** Count and sum. */
  readonly #totals = new Float64Array(2)

  get count(): number {
    return this.#totals[0] ?? 0
  }

  get sumMs(): number {
    return this.#totals[1] ?? 0
  }

  add(ms: number): void {
    const bucket = bucketOf(ms)
    if (bucket >= this.buckets.length) this.#grow(bucket)
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1
    this.#totals[0] = (this.#totals[0] ?? 0) + 1
    if (ms > 0) this.#totals[1] = (this.#totals[1] ?? 0) + ms
  }

  #grow(bucket: number): void {
    const grown = new Float64Array(Math.min(bucketCount, (Math.floor(bucket / step) + 2) * step))
    grown.set(this.buckets)
    this.buckets = grown
  }
}
