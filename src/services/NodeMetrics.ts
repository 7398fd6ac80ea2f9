/** The metrics of a data plane (reference `proxy-behaviour.md` §12), from the facts. Pure, as `NodeStatus.ts` is. */
import { Context, type Effect } from "effect"
import { nodeSeries, type nodeSeries as Table } from "../model/metrics/nodeSeries.ts"
import { type ProcessUse, processSamples } from "../model/metrics/ProcessUse.ts"
import { prometheusPieces } from "../model/metrics/PrometheusText.ts"
import { asNumber, one, type SamplesOf, seconds, stateSamples } from "../model/metrics/Series.ts"
import type { Steps } from "../model/steps.ts"
import { exportSamples } from "./export/ExportStatus.ts"
import type { ConnectionCounts, DeliveryCounts } from "./NodeHealth.ts"
import { cacheView, type NodeFacts, serverCounts, unreadyReason } from "./NodeStatus.ts"
import type { SpoolFacts } from "./TelemetrySpool.ts"

export type NodeSamples = SamplesOf<typeof Table>

/** One look at every metric: for whoever scrapes, and for whoever exports. */
export class NodeMetrics extends Context.Service<NodeMetrics, { readonly samples: Effect.Effect<NodeSamples> }>()(
  "holdfast/services/NodeMetrics"
) {}

/** What the status does not tell. */
export interface MetricFacts {
  readonly node: NodeFacts
  readonly connection: ConnectionCounts
  readonly process: ProcessUse
  readonly apiCalls: number
  /** Of requests and targets. */
  readonly traffic: NodeSamples
  readonly accessLog: DeliveryCounts | undefined
  readonly tracing: DeliveryCounts | undefined
}

const server = ({ nodeId, version, proxy }: NodeFacts): NodeSamples => {
  const counts = serverCounts(proxy)
  const labels = [nodeId, "http"]
  const states = {
    accepted: counts.connections_accepted,
    active: counts.connections_active,
    handled: counts.connections_handled,
    reading: counts.connections_reading,
    total: counts.total_requests,
    waiting: counts.connections_waiting,
    writing: counts.connections_writing
  }
  return {
    kong_node_info: [[[nodeId, version], 1]],
    kong_nginx_connections_total: Object.entries(states).map(([state, value]) => [[...labels, state], value]),
    kong_nginx_requests_total: [[labels, counts.total_requests]],
    holdfast_requests_in_flight: one(counts.requests_in_flight)
  }
}

const states = ["disabled", "connecting", "connected", "disconnected"]

const cluster = (facts: NodeFacts, { sessions, failedDials }: ConnectionCounts): NodeSamples => {
  const { connection, clusterCertificateExpiresAtMs, monotonicMs } = facts
  const isAlone = connection._tag === "disabled"
  return {
    kong_control_plane_connected: isAlone ? [] : one(asNumber(connection._tag === "connected")),
    kong_data_plane_cluster_cert_expiry_timestamp: seconds(clusterCertificateExpiresAtMs),
    holdfast_connection_state: stateSamples(states, connection._tag),
    holdfast_connection_state_seconds: seconds(Math.max(0, monotonicMs - connection.sinceMonotonicMs)),
    holdfast_reconnects_total: isAlone ? [] : one(Math.max(0, sessions - 1)),
    holdfast_failed_dials_total: isAlone ? [] : one(failedDials)
  }
}

const configuration = (facts: NodeFacts): NodeSamples => {
  const { live, nowMs } = facts
  const { isCached } = cacheView(facts)
  const rung = live.source === "empty" ? live.sources.length : live.sources.indexOf(live.source)
  const ageMs = live.receivedAtMs === undefined ? undefined : Math.max(0, nowMs - live.receivedAtMs)
  return {
    holdfast_config_info: [[[live.source, live.hash], 1]],
    holdfast_config_rung: one(rung),
    holdfast_config_routes: one(live.routeCount),
    holdfast_config_persisted: one(isCached === undefined ? undefined : asNumber(isCached)),
    holdfast_config_received_timestamp_seconds: seconds(live.receivedAtMs),
    holdfast_config_age_seconds: seconds(ageMs),
    holdfast_config_applies_total: one(live.applyTimes.count),
    holdfast_config_apply_seconds_total: seconds(live.applyTimes.sumMs),
    holdfast_config_apply_last_seconds: live.applyTimes.count === 0 ? [] : seconds(live.applyTimes.lastMs),
    holdfast_config_rejections_total: one(live.rejectedCount)
  }
}

const asked = ({ peers }: NodeFacts): NodeSamples =>
  peers === undefined
    ? {}
    : {
        holdfast_peer_requests_total: [
          [["given"], peers.given],
          [["told"], peers.told],
          [["nothing"], peers.nothing],
          [["busy"], peers.busy],
          [["cut_off"], peers.cutOff],
          [["refused"], peers.refused]
        ]
      }

const deliveryStates = ["off", "local", "idle", "connected", "disconnected"]

const spooled = (spool: SpoolFacts | undefined): NodeSamples =>
  spool === undefined
    ? {}
    : {
        holdfast_spool_bytes: one(spool.bytes),
        holdfast_spool_records: one(spool.records),
        holdfast_spool_oldest_timestamp_seconds: seconds(spool.oldestMs),
        holdfast_spool_writable: one(asNumber(spool.problem === undefined)),
        holdfast_spool_dropped_records_total: one(spool.dropped.records),
        holdfast_spool_dropped_requests_total: one(spool.dropped.requests)
      }

const judged = ({ license: { state, expiresAtMs }, clock }: NodeFacts): NodeSamples => ({
  holdfast_license_info: [[[state], 1]],
  holdfast_license_expiry_timestamp_seconds: seconds(expiresAtMs),
  holdfast_clock_deviation_seconds: seconds(clock.deviationMs)
})

const delivered = ({ accessLog, tracing }: MetricFacts): NodeSamples => ({
  holdfast_access_log_lines_total: one(accessLog?.delivered),
  holdfast_access_log_dropped_total: one(accessLog?.dropped),
  holdfast_spans_exported_total: one(tracing?.delivered),
  holdfast_spans_dropped_total: one(tracing?.dropped)
})

export const nodeSamples = (facts: MetricFacts): NodeSamples => ({
  ...server(facts.node),
  ...cluster(facts.node, facts.connection),
  ...configuration(facts.node),
  ...judged(facts.node),
  ...exportSamples(facts.node.configExport),
  ...asked(facts.node),
  ...spooled(facts.node.telemetry.spool),
  holdfast_telemetry_delivery: stateSamples(deliveryStates, facts.node.telemetry.delivery._tag),
  ...delivered(facts),
  ...facts.traffic,
  ...processSamples(facts.process),
  holdfast_ready: one(asNumber(unreadyReason(facts.node) === undefined)),
  holdfast_api_calls_total: one(facts.apiCalls)
})

export const nodeMetricsPieces = (samples: NodeSamples): Steps<ReadonlyArray<Uint8Array>> =>
  prometheusPieces(nodeSeries, samples)
