/** Counts as a node has them, of requests that a test makes up. */
import { bucketCount, bucketOf } from "../../src/model/telemetry/LatencyBuckets.ts"
import type { Latency, RequestCell } from "../../src/services/RequestCounters.ts"

const latency = (ms: ReadonlyArray<number>): Latency => {
  const buckets = new Float64Array(bucketCount)
  for (const each of ms) buckets[bucketOf(each)] = (buckets[bucketOf(each)] ?? 0) + 1
  return { buckets, count: ms.length, sumMs: ms.reduce((sum, each) => sum + each, 0) }
}

export interface GivenCell extends Partial<Omit<RequestCell, "requestLatency" | "proxyLatency" | "upstreamLatency">> {
  readonly requestMs?: ReadonlyArray<number>
  readonly proxyMs?: ReadonlyArray<number>
  readonly upstreamMs?: ReadonlyArray<number>
}

export const requestCell = ({
  requestMs = [],
  proxyMs = [],
  upstreamMs = [],
  statuses = [],
  ...given
}: GivenCell): RequestCell => ({
  serviceId: null,
  routeId: null,
  consumerId: null,
  requests: statuses.reduce((sum, { count }) => sum + count, 0),
  statuses,
  classes: [1, 2, 3, 4, 5].map((digit) =>
    statuses.filter(({ status }) => Math.trunc(status / 100) === digit).reduce((sum, { count }) => sum + count, 0)
  ),
  requestLatency: latency(requestMs),
  proxyLatency: latency(proxyMs),
  upstreamLatency: latency(upstreamMs),
  requestBodyBytes: 0,
  responseBodyBytes: 0,
  ...given
})
