/**
 * The latencies of a route's requests towards its upstream, whoever made them: until they were on their way, and from then until
 * the answer. Both histograms stand in one array, for a request adds to both, and what is not in the processor's cache costs
 * more than the additions: counts and sums, then the buckets of each, as far as the highest one that was ever needed. Adding
 * allocates nothing but when one grows, at most once for each power of two.
 */
import { bucketCount, bucketOf } from "../../model/telemetry/LatencyBuckets.ts"
import type { Latency } from "../../services/RequestCounters.ts"

const step = 8
/** Count and sum of each. */
const proxyAt = 0
const upstreamAt = 2
const bucketsAt = 4

const roomFor = (bucket: number): number => Math.min(bucketCount, (Math.floor(bucket / step) + 2) * step)

export class UpstreamLatencies {
  #values = new Float64Array(bucketsAt)
  #proxyBuckets = 0
  #upstreamBuckets = 0

  /** Either may be below 0: then there is none. */
  add(proxyMs: number, upstreamMs: number): void {
    if (proxyMs >= 0) {
      const bucket = bucketOf(proxyMs)
      if (bucket >= this.#proxyBuckets) this.#grow(roomFor(bucket), this.#upstreamBuckets)
      this.#note(proxyAt, proxyMs, bucketsAt + bucket)
    }
    if (upstreamMs >= 0) {
      const bucket = bucketOf(upstreamMs)
      if (bucket >= this.#upstreamBuckets) this.#grow(this.#proxyBuckets, roomFor(bucket))
      this.#note(upstreamAt, upstreamMs, bucketsAt + this.#proxyBuckets + bucket)
    }
  }

  get proxyLatency(): Latency {
    return this.#latency(proxyAt, bucketsAt, this.#proxyBuckets)
  }

  get upstreamLatency(): Latency {
    return this.#latency(upstreamAt, bucketsAt + this.#proxyBuckets, this.#upstreamBuckets)
  }

  #latency(at: number, from: number, length: number): Latency {
    const buckets = this.#values.subarray(from, from + length)
    return { buckets, count: this.#values[at] ?? 0, sumMs: this.#values[at + 1] ?? 0 }
  }

  #note(at: number, ms: number, bucketAt: number): void {
    this.#values[at] = (this.#values[at] ?? 0) + 1
    this.#values[at + 1] = (this.#values[at + 1] ?? 0) + ms
    this.#values[bucketAt] = (this.#values[bucketAt] ?? 0) + 1
  }

  #grow(proxyBuckets: number, upstreamBuckets: number): void {
    const grown = new Float64Array(bucketsAt + proxyBuckets + upstreamBuckets)
    const upstreamFrom = bucketsAt + this.#proxyBuckets
    grown.set(this.#values.subarray(0, upstreamFrom))
    grown.set(this.#values.subarray(upstreamFrom), bucketsAt + proxyBuckets)
    this.#values = grown
    this.#proxyBuckets = proxyBuckets
    this.#upstreamBuckets = upstreamBuckets
  }
}
