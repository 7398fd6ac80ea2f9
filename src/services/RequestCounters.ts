/**
 * Counts of every request since the node started, by service, route and consumer: what telemetry, billing and Prometheus
 * are read from. Counting is additions to cells that are there already; only the first request of a route and a consumer
 * makes a cell.
 */
import { Context } from "effect"
import type { RequestObserver } from "./RequestObservers.ts"

/** Totals since the node started; they only grow. */
export interface RequestCell {
  readonly serviceId: string | null
  /** `null`: no route matched. */
  readonly routeId: string | null
  readonly consumerId: string | null
  readonly requests: number
  /** How often each status was answered, in the order in which they came up. */
  readonly statuses: ReadonlyArray<{ readonly status: number; readonly source: string; readonly count: number }>
  /** By the buckets of `model/telemetry/LatencyBuckets.ts`; the sums are milliseconds. */
  readonly requestLatency: Latency
  /** Of requests that were on their way to an upstream. */
  readonly proxyLatency: Latency
  readonly upstreamLatency: Latency
  readonly requestBodyBytes: number
  readonly responseBodyBytes: number
}

export interface Latency {
  readonly buckets: ArrayLike<number>
  readonly count: number
  readonly sumMs: number
}

export class RequestCounters extends Context.Service<
  RequestCounters,
  {
    readonly record: RequestObserver
    readonly cells: () => Iterable<RequestCell>
    /** Requests that matched a route, since the node started (`docs/telemetry.md`, "What an API call is"). */
    readonly apiCalls: () => number
  }
>()("holdfast/services/RequestCounters") {}
