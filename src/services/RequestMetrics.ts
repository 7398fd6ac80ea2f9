/**
 * Kong's series of requests, from the counts since the start. Counts go by ids; the labels are the names that the running
 * configuration has for them, so that what it has no longer has no series either. Bounded: what comes up beyond a limit has none,
 * and how much that is has one.
 */

import type { ConfigTable } from "../model/ConfigTable.ts"
import { type BoundScale, foldLatencies, kongLatencyScale, upstreamLatencyScale } from "../model/metrics/KongBuckets.ts"
import type { MetricGroup } from "../model/metrics/metricGroups.ts"
import type { nodeSeries } from "../model/metrics/nodeSeries.ts"
import type { Sample, SamplesOf } from "../model/metrics/Series.ts"
import { consumerName, nameOrId } from "../model/shownName.ts"
import { inSteps, type Steps } from "../model/steps.ts"
import { type Latency, otherId, type RequestCell } from "./RequestCounters.ts"

type Samples = SamplesOf<typeof nodeSeries>

export interface MetricChoice {
  readonly groups: ReadonlySet<string>
  /** Most combinations of service, route and consumer, and most targets, that have series. */
  readonly limit: number
}

/** The names of one configuration, by ids. */
export interface Names {
  readonly service: (id: string) => string | undefined
  readonly route: (id: string) => { readonly name: string; readonly workspace: string } | undefined
  readonly consumer: (id: string) => string | undefined
}

export const namesOf = (table: ConfigTable): Names => {
  const services = new Map(table.services.map(({ id, name, host }) => [id, name ?? host]))
  const workspaces = new Map(table.workspaces.map(({ id, name }) => [id, name]))
  const routes = new Map(
    table.routes.map(({ id, name, ws_id }) => [
      id,
      { name: nameOrId({ id, name }), workspace: (ws_id === null ? undefined : workspaces.get(ws_id)) ?? "default" }
    ])
  )
  const consumers = new Map(table.consumers.map((consumer) => [consumer.id, consumerName(consumer)]))
  return { service: (id) => services.get(id), route: (id) => routes.get(id), consumer: (id) => consumers.get(id) }
}

/** Counts that have the same labels. */
interface Group {
  readonly service: string
  readonly route: string
  readonly workspace: string
  readonly consumer: string
  readonly cells: Array<RequestCell>
}

interface Groups {
  readonly shown: ReadonlyArray<Group>
  readonly leftOut: number
}

/** Of a consumer that is gone the id is left; of those that there was no room to tell apart, this. */
const consumerLabel = (id: string, names: Names): string => (id === otherId ? "other" : (names.consumer(id) ?? id))

const labelsOf = ({ serviceId, routeId, consumerId }: RequestCell, names: Names, hasConsumer: boolean) => {
  const route = routeId === null ? undefined : names.route(routeId)
  const service = serviceId === null ? "" : names.service(serviceId)
  if (route === undefined || service === undefined) return undefined
  const consumer = hasConsumer && consumerId !== null ? consumerLabel(consumerId, names) : ""
  return { service, route: route.name, workspace: route.workspace, consumer }
}

type Labels = NonNullable<ReturnType<typeof labelsOf>>

/** No two groups have the same labels, whatever the configuration calls its rows: no series stands there twice. */
const keyOf = ({ service, route, workspace, consumer }: Labels): string =>
  `${workspace}\n${route}\n${service}\n${consumer}`

const cellsPerStep = 500

/** In the order in which they came up first, which no later request changes: what has series keeps them. */
function* groupsOf(
  cells: Iterable<RequestCell>,
  names: Names,
  { limit }: MetricChoice,
  hasConsumer: boolean
): Steps<Groups> {
  const groups = new Map<string, Group>()
  const leftOut = new Set<string>()
  const sort = (cell: RequestCell): void => {
    const labels = labelsOf(cell, names, hasConsumer)
    if (cell.routeId === otherId) leftOut.add(hasConsumer ? `${otherId} ${cell.consumerId}` : otherId)
    if (labels === undefined) return
    const key = keyOf(labels)
    const known = groups.get(key)
    if (known !== undefined) known.cells.push(cell)
    else if (groups.size < limit) groups.set(key, { ...labels, cells: [cell] })
    else leftOut.add(key)
  }
  yield* inSteps(cells, cellsPerStep, sort)
  return { shown: [...groups.values()], leftOut: leftOut.size }
}

/** Kong knows two sources: an upstream, and itself. */
const sourceOf = (source: string): string => (source === "service" ? "service" : "kong")

const sumBy = (
  cells: ReadonlyArray<RequestCell>,
  keyOf: (of: { readonly status: number; readonly source: string }) => string
) => {
  const sums = new Map<string, number>()
  for (const { statuses } of cells) {
    for (const each of statuses) sums.set(keyOf(each), (sums.get(keyOf(each)) ?? 0) + each.count)
  }
  return [...sums]
}

const statusSamples = ({ service, route, workspace, consumer, cells }: Group): ReadonlyArray<Sample> =>
  sumBy(cells, ({ status, source }) => `${status} ${sourceOf(source)}`).map(([key, count]) => {
    const [code = "", source = ""] = key.split(" ")
    return [[service, route, code, source, workspace, consumer], count]
  })

const bandwidthSamples = ({ service, route, workspace, consumer, cells }: Group): ReadonlyArray<Sample> => {
  const sum = (of: (cell: RequestCell) => number) => cells.reduce((total, cell) => total + of(cell), 0)
  const sample = (direction: string, bytes: number): Sample => [[service, route, direction, workspace, consumer], bytes]
  return [
    sample(
      "ingress",
      sum(({ requestBodyBytes }) => requestBodyBytes)
    ),
    sample(
      "egress",
      sum(({ responseBodyBytes }) => responseBodyBytes)
    )
  ]
}

const latencySamples =
  (latencyOf: (cell: RequestCell) => Latency, scale: BoundScale) =>
  ({ service, route, workspace, cells }: Group): ReadonlyArray<Sample> => [
    [[service, route, workspace], foldLatencies(cells.map(latencyOf), scale)]
  ]

const unmatchedSamples = (cells: ReadonlyArray<RequestCell>): ReadonlyArray<Sample> => {
  const unmatched = cells.filter(({ routeId }) => routeId === null)
  return sumBy(unmatched, ({ status }) => String(status)).map(([code, count]) => [[code], count])
}

const groupsPerStep = 100

function* samplesOf(
  groups: ReadonlyArray<Group>,
  samplesIn: (group: Group) => ReadonlyArray<Sample>
): Steps<ReadonlyArray<Sample>> {
  const samples: Array<Sample> = []
  yield* inSteps(groups, groupsPerStep, (group) => {
    for (const sample of samplesIn(group)) samples.push(sample)
  })
  return samples
}

/** Each group is read in one step, so that its counts belong together; counts of different ones may be of different moments. */
export function* requestSampleSteps(given: Iterable<RequestCell>, names: Names, choice: MetricChoice): Steps<Samples> {
  const cells = [...given]
  const has = (group: MetricGroup) => choice.groups.has(group)
  const groups = yield* groupsOf(cells, names, choice, has("per_consumer"))
  // A latency has no consumer in its labels, whoever is told apart otherwise.
  const ofRoutes = has("per_consumer") ? yield* groupsOf(cells, names, choice, false) : groups
  const shown = (group: MetricGroup) => (has(group) ? groups.shown : [])
  const ofRoute = (latencyOf: (cell: RequestCell) => Latency, scale: BoundScale) =>
    samplesOf(has("latency_metrics") ? ofRoutes.shown : [], latencySamples(latencyOf, scale))
  return {
    kong_http_requests_total: yield* samplesOf(shown("status_code_metrics"), statusSamples),
    kong_kong_latency_ms: yield* ofRoute(({ proxyLatency }) => proxyLatency, kongLatencyScale),
    kong_upstream_latency_ms: yield* ofRoute(({ upstreamLatency }) => upstreamLatency, upstreamLatencyScale),
    kong_request_latency_ms: yield* ofRoute(({ requestLatency }) => requestLatency, upstreamLatencyScale),
    kong_bandwidth_bytes: yield* samplesOf(shown("bandwidth_metrics"), bandwidthSamples),
    holdfast_unmatched_requests_total: has("status_code_metrics") ? unmatchedSamples(cells) : [],
    holdfast_metrics_left_out: [[[], groups.leftOut]]
  }
}

const healthStates = ["healthchecks_off", "healthy", "unhealthy", "dns_error"]

/**
 * Nobody checks targets, so that each of them is in the first state. The address is the target as it is written, for
 * names are resolved request by request.
 */
export const targetSamples = (table: ConfigTable, { groups, limit }: MetricChoice): Samples => {
  if (!groups.has("upstream_health_metrics")) return {}
  const upstreams = new Map(table.upstreams.map(({ id, name }) => [id, name]))
  const shown = table.targets.filter(({ weight }) => weight > 0).slice(0, limit)
  return {
    kong_upstream_target_health: shown.flatMap(({ upstream, target }) =>
      healthStates.map(
        (state, at): Sample => [[upstreams.get(upstream) ?? upstream, target, target, state, "http"], at === 0 ? 1 : 0]
      )
    )
  }
}
