/**
 * Counts of the requests that took one route with one consumer. They stand in one array of doubles, for a count may exceed
 * 2^32, and what is not in the processor's cache costs more than all the additions: first the sums, then the statuses, then
 * the buckets of the request's latency, as far as the highest one that was ever needed. Adding allocates nothing but when that
 * grows.
 */
import { bucketCount, bucketOf } from "../../model/telemetry/LatencyBuckets.ts"
import type { Latency, RequestCell } from "../../services/RequestCounters.ts"
import type { AnswerSource, ObservedRequest } from "../../services/RequestObservers.ts"
import type { UpstreamLatencies } from "./UpstreamLatencies.ts"

/** Upstreams may answer any status, and must not make a node remember them all. */
const statusesMax = 32
const bucketStep = 8

// Where things stand, behind the five classes.
const requestBytesAt = 5
const responseBytesAt = 6
const countAt = 7
const sumMsAt = 8
/** Status and count, status and count. */
const statusesAt = 9

const sources: ReadonlyArray<AnswerSource> = ["service", "exit", "error"]

/** Status and source as one number, which is not 0. */
const keyOf = (status: number, source: AnswerSource): number =>
  status * 4 + (source === "service" ? 1 : source === "exit" ? 2 : 3)

const classOf = (status: number): number => (status < 200 ? 0 : status >= 500 ? 4 : Math.trunc(status / 100) - 1)

export interface CellKey {
  readonly serviceId: string | null
  readonly routeId: string | null
  readonly consumerId: string | null
}

export class Cell implements RequestCell {
  // What every request needs comes first: a field's place in memory is its place here.
  #values = new Float64Array(statusesAt + 2 * 3)
  #statusSlots = 3
  #buckets = 0
  /** Requests were added since the reader last asked. */
  isChanged = false
  readonly serviceId: string | null
  readonly routeId: string | null
  readonly consumerId: string | null
  readonly #upstream: UpstreamLatencies

  constructor({ serviceId, routeId, consumerId }: CellKey, upstream: UpstreamLatencies) {
    this.serviceId = serviceId
    this.routeId = routeId
    this.consumerId = consumerId
    this.#upstream = upstream
  }

  add(request: ObservedRequest): void {
    const { status } = request
    const ms = request.endedAtMs - request.startedAtMs
    const bucket = bucketOf(ms)
    if (bucket >= this.#buckets) this.#grow(this.#statusSlots, bucket)
    this.#addStatus(status, request.source)
    this.#increase(classOf(status), 1)
    this.#increase(requestBytesAt, request.requestBodyBytes)
    this.#increase(responseBytesAt, request.responseBodyBytes)
    this.#increase(countAt, 1)
    if (ms > 0) this.#increase(sumMsAt, ms)
    this.#increase(statusesAt + 2 * this.#statusSlots + bucket, 1)
  }

  get requests(): number {
    return this.#at(countAt)
  }

  get requestBodyBytes(): number {
    return this.#at(requestBytesAt)
  }

  get responseBodyBytes(): number {
    return this.#at(responseBytesAt)
  }

  get classes(): Float64Array {
    return this.#values.subarray(0, 5)
  }

  get requestLatency(): Latency {
    const buckets = this.#values.subarray(statusesAt + 2 * this.#statusSlots)
    return { buckets, count: this.#at(countAt), sumMs: this.#at(sumMsAt) }
  }

  get proxyLatency(): Latency {
    return this.#upstream.proxyLatency
  }

  get upstreamLatency(): Latency {
    return this.#upstream.upstreamLatency
  }

  get statuses(): RequestCell["statuses"] {
    return Array.from({ length: this.#statusSlots }, (_, slot) => {
      const key = this.#at(statusesAt + 2 * slot)
      return { key, count: this.#at(statusesAt + 2 * slot + 1) }
    })
      .filter(({ key }) => key !== 0)
      .map(({ key, count }) => ({ status: Math.trunc(key / 4), source: sources[(key % 4) - 1] ?? "", count }))
  }

  #at(index: number): number {
    return this.#values[index] ?? 0
  }

  #increase(index: number, by: number): void {
    this.#values[index] = (this.#values[index] ?? 0) + by
  }

  #addStatus(status: number, source: AnswerSource): void {
    const key = keyOf(status, source)
    let slot = 0
    for (; slot < this.#statusSlots; slot++) {
      const known = this.#at(statusesAt + 2 * slot)
      if (known === key) return this.#increase(statusesAt + 2 * slot + 1, 1)
      if (known === 0) break
    }
    const isCoarse = status % 100 === 0
    if (slot >= statusesMax && !isCoarse) return this.#addStatus(status - (status % 100), source)
    if (slot >= this.#statusSlots) this.#grow(2 * this.#statusSlots, this.#buckets - 1)
    this.#values[statusesAt + 2 * slot] = key
    this.#values[statusesAt + 2 * slot + 1] = 1
  }

  /** Room for so many statuses, and for the bucket. */
  #grow(statusSlots: number, bucket: number): void {
    const former = this.#values
    const bucketsFrom = statusesAt + 2 * this.#statusSlots
    if (bucket >= this.#buckets)
      this.#buckets = Math.min(bucketCount, (Math.floor(bucket / bucketStep) + 2) * bucketStep)
    this.#statusSlots = statusSlots
    this.#values = new Float64Array(statusesAt + 2 * statusSlots + this.#buckets)
    this.#values.set(former.subarray(0, bucketsFrom))
    this.#values.set(former.subarray(bucketsFrom), statusesAt + 2 * statusSlots)
  }
}
