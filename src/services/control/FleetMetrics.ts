/** The metrics of a control plane (reference `proxy-behaviour.md` §12), from what it knows of its fleet. */
import { Context, type Effect } from "effect"
import {
  type ConfigurationState,
  configurationState,
  configurationStates,
  type DataPlaneRecord
} from "../../model/Fleet.ts"
import { fleetSeries } from "../../model/metrics/fleetSeries.ts"
import { type ProcessUse, processSamples } from "../../model/metrics/ProcessUse.ts"
import { prometheusText } from "../../model/metrics/PrometheusText.ts"
import { asNumber, one, type Sample, type SamplesOf } from "../../model/metrics/Series.ts"
import type { NodeTelemetry } from "../../model/telemetry/NodeTelemetry.ts"
import { type ExportFacts, exportSamples } from "../export/ExportStatus.ts"
import type { PushCounts } from "./ClusterHub.ts"

export type FleetSamples = SamplesOf<typeof fleetSeries>

/** One look at every metric, as text for Prometheus. */
export class FleetMetrics extends Context.Service<
  FleetMetrics,
  {
    readonly text: Effect.Effect<string>
    readonly isStoreReachable: Effect.Effect<boolean>
  }
>()("holdfast/services/control/FleetMetrics") {}

export interface FleetFacts {
  /** The gateway version that the control plane claims. */
  readonly version: string
  readonly nodes: ReadonlyArray<DataPlaneRecord>
  readonly connected: ReadonlySet<string>
  /** `undefined` when the store can't be read. */
  readonly payload: { readonly hash: string; readonly bytes: number } | undefined
  readonly payloadLimitBytes: number
  readonly pushes: PushCounts
  /** By node id. */
  readonly telemetry: ReadonlyMap<string, NodeTelemetry>
  /** `undefined` where nothing is exported. */
  readonly configExport: ExportFacts | undefined
  readonly process: ProcessUse
}

const labelsOf = ({ id, hostname, ip }: DataPlaneRecord) => [id, hostname, ip]

/** Kong's way: the hexadecimal number, as exact as a double is. */
const hashNumber = (hash: string): number => (/^[0-9a-f]+$/i.test(hash) ? Number(`0x${hash}`) : Number.NaN)

const isCompatible = ({ syncStatus }: DataPlaneRecord): boolean => syncStatus === "normal" || syncStatus === "unknown"

const ofNodes = ({ nodes, connected, payload }: FleetFacts): FleetSamples => {
  const each = (valueOf: (node: DataPlaneRecord) => number) =>
    nodes.map((node): Sample => [labelsOf(node), valueOf(node)])
  return {
    kong_data_plane_last_seen: each(({ lastSeenMs }) => Math.floor(lastSeenMs / 1000)),
    kong_data_plane_config_hash: each(({ configHash }) => hashNumber(configHash)),
    kong_data_plane_version_compatible: nodes.map((node) => [
      [...labelsOf(node), node.version],
      asNumber(isCompatible(node))
    ]),
    holdfast_data_plane_connected: each(({ id }) => asNumber(connected.has(id))),
    holdfast_data_plane_in_sync:
      payload === undefined ? [] : each((node) => asNumber(node.configHash === payload.hash)),
    holdfast_data_plane_cert_expiry_timestamp_seconds: nodes.flatMap((node): ReadonlyArray<Sample> => {
      const { certificateExpiresAtMs: ms } = node
      return ms === undefined ? [] : [[labelsOf(node), ms / 1000]]
    })
  }
}

const ofFleet = ({ nodes, connected, payload }: FleetFacts): FleetSamples => {
  const counts = new Map<ConfigurationState, number>(configurationStates.map((state) => [state, 0]))
  for (const node of nodes) {
    const state = configurationState(node, { isConnected: connected.has(node.id), expectedHash: payload?.hash })
    counts.set(state, (counts.get(state) ?? 0) + 1)
  }
  const present = nodes.length - (counts.get("disconnected") ?? 0)
  return {
    holdfast_data_planes: [...counts].map(([state, count]) => [[state], count]),
    holdfast_data_planes_connected: one(connected.size),
    holdfast_data_planes_out_of_sync: payload === undefined ? [] : one(present - (counts.get("in_sync") ?? 0))
  }
}

/** Of nodes that are still known: bills are kept for years, and every node that ever was would have series until then. */
const ofTelemetry = ({ nodes, telemetry }: FleetFacts): FleetSamples => {
  const each = (valueOf: (node: NodeTelemetry) => number) =>
    nodes.flatMap(({ id }): ReadonlyArray<Sample> => {
      const told = telemetry.get(id)
      return told === undefined ? [] : [[[id], valueOf(told)]]
    })
  return {
    holdfast_telemetry_records_total: each(({ committed }) => committed),
    holdfast_telemetry_last_received_timestamp_seconds: each(({ receivedMs }) => receivedMs / 1000),
    holdfast_telemetry_spooled_records: each(({ spooled }) => spooled.records),
    holdfast_telemetry_spooled_bytes: each(({ spooled }) => spooled.bytes),
    holdfast_telemetry_dropped_requests: each(({ dropped }) => dropped.requests)
  }
}

/** A control plane has no id of its own: the label is there, for Kong's dashboards ask for it, and empty. */
export const fleetSamples = (facts: FleetFacts): FleetSamples => ({
  kong_node_info: [[["", facts.version], 1]],
  kong_datastore_reachable: one(asNumber(facts.payload !== undefined)),
  ...ofNodes(facts),
  ...ofFleet(facts),
  ...ofTelemetry(facts),
  ...exportSamples(facts.configExport),
  ...processSamples(facts.process),
  holdfast_config_info: facts.payload === undefined ? [] : [[[facts.payload.hash], 1]],
  holdfast_payload_bytes: one(facts.payload?.bytes),
  holdfast_payload_limit_bytes: one(facts.payloadLimitBytes),
  holdfast_pushes_total: one(facts.pushes.count),
  holdfast_push_bytes_total: one(facts.pushes.bytes)
})

export const fleetMetricsText = (facts: FleetFacts): string => prometheusText(fleetSeries, fleetSamples(facts))
