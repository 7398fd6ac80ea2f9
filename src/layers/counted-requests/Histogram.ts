/**
 * A latency histogram in one array: count, sum, and the buckets as far as the highest one that was ever needed. Adding
 * allocates nothing but when that grows, at most once for each power of two.
 */
import { bucketCount, bucketOf } from "../../model/telemetry/LatencyBuckets.ts"
import type { Latency } from "../../services/RequestCounters.ts"

const step = 8
const bucketsAt = 2

export class Histogram implements Latency {
  #values = new Float64Array(bucketsAt)

  get count(): number {
    return this.#values[0] ?? 0
  }

  get sumMs(): number {
    return this.#values[1] ?? 0
  }

  get buckets(): Float64Array {
    return this.#values.subarray(bucketsAt)
  }

  add(ms: number): void {
    const at = bucketsAt + bucketOf(ms)
    if (at >= this.#values.length) this.#grow(at - bucketsAt)
    this.#values[at] = (this.#values[at] ?? 0) + 1
    this.#values[0] = (this.#values[0] ?? 0) + 1
    if (ms > 0) this.#values[1] = (this.#values[1] ?? 0) + ms
  }

  #grow(bucket: number): void {
    const grown = new Float64Array(bucketsAt + Math.min(bucketCount, (Math.floor(bucket / step) + 2) * step))
    grown.set(this.#values)
    this.#values = grown
  }
}
