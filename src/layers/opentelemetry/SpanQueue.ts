/** Spans that wait for a collector: so many, and those that find no room are counted and lost. */
import type { Span } from "../../model/tracing/spans.ts"

/** Some 4 MiB, 14 with the longest texts that a client can send, and 20 s of 100 sampled requests a second. */
const maxWaiting = 4096
export const maxBatch = 512

export class SpanQueue {
  readonly #waiting: Array<Span> = []
  #dropped = 0

  /** The spans of one request, all or none. True when there was room. */
  add(spans: ReadonlyArray<Span>): boolean {
    if (this.#waiting.length + spans.length > maxWaiting) {
      this.#dropped += spans.length
      return false
    }
    this.#waiting.push(...spans)
    return true
  }

  take(): ReadonlyArray<Span> {
    return this.#waiting.splice(0, maxBatch)
  }

  /** They were taken and reached nobody. */
  lose(count: number): void {
    this.#dropped += count
  }

  get length(): number {
    return this.#waiting.length
  }

  get dropped(): number {
    return this.#dropped
  }
}
