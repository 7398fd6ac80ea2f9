/** Counts of the requests that took one route with one consumer. Numbers stand in typed arrays: a count may exceed 2^32. */
import type { RequestCell } from "../../services/RequestCounters.ts"
import type { AnswerSource, ObservedRequest } from "../../services/RequestObservers.ts"
import { Histogram } from "./Histogram.ts"

/** Upstreams may answer any status, and must not make a node remember them all. */
const statusesMax = 32
const statusSlots = 4

const sources: ReadonlyArray<AnswerSource> = ["service", "exit", "error"]

/** Status and source as one number. */
const keyOf = (status: number, source: AnswerSource): number =>
  status * 4 + (source === "service" ? 0 : source === "exit" ? 1 : 2)

const classOf = (status: number): number => (status < 200 ? 0 : status >= 500 ? 4 : Math.trunc(status / 100) - 1)

export class Cell implements RequestCell {
  readonly serviceId: string | null
  readonly routeId: string | null
  readonly consumerId: string | null
  readonly classes = new Float64Array(5)
  readonly requestLatency = new Histogram()
  readonly proxyLatency = new Histogram()
  readonly upstreamLatency = new Histogram()
  /** Requests were added since the reader last asked. */
  isChanged = false
  readonly #bytes = new Float64Array(2)
  /** Key, count, key, count. */
  #statuses = new Float64Array(2 * statusSlots)
  #statusCount = 0

  constructor(serviceId: string | null, routeId: string | null, consumerId: string | null) {
    this.serviceId = serviceId
    this.routeId = routeId
    this.consumerId = consumerId
  }

  get requests(): number {
    return this.requestLatency.count
  }

  get requestBodyBytes(): number {
    return this.#bytes[0] ?? 0
  }

  get responseBodyBytes(): number {
    return this.#bytes[1] ?? 0
  }

  get statuses(): RequestCell["statuses"] {
    return Array.from({ length: this.#statusCount }, (_, at) => {
      const key = this.#statuses[2 * at] ?? 0
      return { status: Math.trunc(key / 4), source: sources[key % 4] ?? "", count: this.#statuses[2 * at + 1] ?? 0 }
    })
  }

  add(request: ObservedRequest): void {
    const { status } = request
    const inClass = classOf(status)
    this.classes[inClass] = (this.classes[inClass] ?? 0) + 1
    this.#addStatus(status, request.source)
    this.requestLatency.add(request.endedAtMs - request.startedAtMs)
    if (request.proxyMs >= 0) this.proxyLatency.add(request.proxyMs)
    if (request.upstreamMs >= 0) this.upstreamLatency.add(request.upstreamMs)
    this.#bytes[0] = (this.#bytes[0] ?? 0) + request.requestBodyBytes
    this.#bytes[1] = (this.#bytes[1] ?? 0) + request.responseBodyBytes
  }

  #addStatus(status: number, source: AnswerSource): void {
    const key = keyOf(status, source)
    for (let at = 0; at < this.#statusCount; at++) {
      if (this.#statuses[2 * at] !== key) continue
      this.#statuses[2 * at + 1] = (this.#statuses[2 * at + 1] ?? 0) + 1
      return
    }
    const isCoarse = status % 100 === 0
    if (this.#statusCount >= statusesMax && !isCoarse) this.#addStatus(status - (status % 100), source)
    else this.#addNew(key)
  }

  #addNew(key: number): void {
    const at = 2 * this.#statusCount++
    if (at >= this.#statuses.length) {
      const grown = new Float64Array(2 * this.#statuses.length)
      grown.set(this.#statuses)
      this.#statuses = grown
    }
    this.#statuses[at] = key
    this.#statuses[at + 1] = 1
  }
}
