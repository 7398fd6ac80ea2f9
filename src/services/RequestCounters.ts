/**
 * Counts of every request since the node started, by service, route and consumer: what telemetry, billing and Prometheus
 * are read from. Counting is additions to cells that are there already; only the first request of a route and a consumer
 * makes a cell.
 *
 * A cell stays as long as the process does, so that no count ever goes back. There is room for so many; the requests of
 * further consumers are counted together in one cell of their route, and those of further routes together in one cell:
 * their id is `otherId`. No request is left out of a sum.
 */
import { Context, type Effect } from "effect"
import type { RequestObserver } from "./RequestObservers.ts"

/** Stands for all routes, or all consumers of a route, that there is no room to tell apart. */
export const otherId = "00000000-0000-0000-0000-000000000000"

/** Totals since the node started; they only grow. One object for as long as the process lives, read where it stands. */
export interface RequestCell {
  readonly serviceId: string | null
  /** `null`: no route matched. */
  readonly routeId: string | null
  readonly consumerId: string | null
  readonly requests: number
  /**
   * How often each status was answered, in the order in which they came up. A cell tells 32 apart; further ones are counted
   * as the first of their hundred.
   */
  readonly statuses: ReadonlyArray<{ readonly status: number; readonly source: string; readonly count: number }>
  /** The same by the first digit, `1xx` to `5xx`; what is beyond counts as the nearest. */
  readonly classes: ArrayLike<number>
  /** By the buckets of `model/telemetry/LatencyBuckets.ts`; the sums are milliseconds. */
  readonly requestLatency: Latency
  /**
   * Of requests that were on their way to an upstream, with whatever consumer: in the route's cell without a consumer, which is
   * there for every route; that of any other cell is empty.
   */
  readonly proxyLatency: Latency
  readonly upstreamLatency: Latency
  readonly requestBodyBytes: number
  readonly responseBodyBytes: number
}

export interface Latency {
  /** As long as the highest bucket needs that ever counted; those beyond are 0. */
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
    /** Cells that requests were added to since this was asked last: for one reader, which is the spool. */
    readonly takeChanged: () => ReadonlyArray<RequestCell>
    /** Waits until `takeChanged` has something to give. For the same reader. */
    readonly changed: Effect.Effect<void>
  }
>()("holdfast/services/RequestCounters") {}
