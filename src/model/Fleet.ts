/**
 * What a control plane knows of its data planes: reference `hybrid-protocol-v1.md` §11, with what that leaves unsaid:
 * whether the node is there, which hash it should run, and why it runs another.
 */
import type { SyncStatus } from "./Compatibility.ts"
import type { Row } from "./Entity.ts"
import { zeroHash } from "./Snapshot.ts"
import { type NodeTelemetry, shownTelemetry } from "./telemetry/NodeTelemetry.ts"

export interface DataPlaneRecord {
  readonly id: string
  readonly hostname: string
  readonly ip: string
  readonly version: string
  readonly configHash: string
  readonly lastSeenMs: number
  readonly updatedAtMs: number
  readonly syncStatus: SyncStatus
  readonly labels: Readonly<Record<string, string>>
  readonly certificateExpiresAtMs: number | undefined
  /** The newest refusal that the node reported, until it runs what it should. */
  readonly lastError: { readonly atMs: number; readonly name: string; readonly message: string } | undefined
  /** Why nothing could be sent. */
  readonly notSent: string | undefined
}

export interface FleetView {
  readonly nowMs: number
  readonly expectedHash: string | undefined
  readonly purgeDelayMs: number
  /** When a connected node connected; absent for the others. */
  readonly connectedSinceMs: number | undefined
  readonly telemetry: NodeTelemetry | undefined
}

export const configurationStates = [
  "disconnected",
  "in_sync",
  "incompatible",
  "not_sent",
  "applying",
  "refused_by_node"
] as const

export type ConfigurationState = (typeof configurationStates)[number]

/** In words that say what to do next. */
export const configurationState = (
  node: DataPlaneRecord,
  view: { readonly isConnected: boolean; readonly expectedHash: string | undefined }
): ConfigurationState => {
  // First: what a node that is gone runs, if it runs, nobody knows.
  if (!view.isConnected) return "disconnected"
  if (view.expectedHash !== undefined && node.configHash === view.expectedHash) return "in_sync"
  if (node.syncStatus !== "normal" && node.syncStatus !== "unknown") return "incompatible"
  if (node.notSent !== undefined) return "not_sent"
  return node.lastError === undefined ? "applying" : "refused_by_node"
}

const seconds = (ms: number): number => Math.floor(ms / 1000)

/** How long a node was silent, by a clock that does not jump, against `cluster_data_plane_purge_delay`. */
export const isPurged = (silentMs: number, purgeDelayMs: number): boolean => silentMs >= purgeDelayMs

/** One node as `GET /clustering/data-planes` shows it. */
export const shownDataPlane = (node: DataPlaneRecord, view: FleetView): Row => ({
  id: node.id,
  hostname: node.hostname,
  ip: node.ip,
  version: node.version,
  config_hash: node.configHash,
  last_seen: seconds(node.lastSeenMs),
  updated_at: seconds(node.updatedAtMs),
  sync_status: node.syncStatus,
  labels: node.labels,
  cert_details:
    node.certificateExpiresAtMs === undefined ? {} : { expiry_timestamp: seconds(node.certificateExpiresAtMs) },
  rpc_capabilities: [],
  ttl: Math.max(0, seconds(node.lastSeenMs + view.purgeDelayMs - view.nowMs)),
  connected: view.connectedSinceMs !== undefined,
  connected_since: view.connectedSinceMs === undefined ? null : seconds(view.connectedSinceMs),
  expected_config_hash: view.expectedHash ?? null,
  configuration_state: configurationState(node, {
    isConnected: view.connectedSinceMs !== undefined,
    expectedHash: view.expectedHash
  }),
  not_sent: node.notSent ?? null,
  last_error:
    node.lastError === undefined
      ? null
      : { at: seconds(node.lastError.atMs), name: node.lastError.name, message: node.lastError.message },
  telemetry: shownTelemetry(view.telemetry)
})

/** One node as the deprecated `GET /clustering/status` shows it. */
export const shownInStatus = ({ configHash, hostname, ip, lastSeenMs }: DataPlaneRecord): Row => ({
  config_hash: configHash,
  hostname,
  ip,
  last_seen: seconds(lastSeenMs)
})

/** A node before its first ping: it has told no hash yet. */
export const newRecord = (
  node: Pick<DataPlaneRecord, "id" | "hostname" | "ip" | "version" | "labels" | "certificateExpiresAtMs">,
  nowMs: number
): DataPlaneRecord => ({
  ...node,
  configHash: zeroHash,
  lastSeenMs: nowMs,
  updatedAtMs: nowMs,
  syncStatus: "unknown",
  lastError: undefined,
  notSent: undefined
})
