/**
 * What a data plane answers when asked how it is: reference `proxy-behaviour.md` §11 and §11.1, with Holdfast's own
 * fields beside Kong's. Pure: whoever listens gathers the facts.
 */
import { isoOrNull } from "../model/isoTime.ts"
import { formatAddress } from "../model/listenFault.ts"
import type { MemoryFormat } from "../model/MemoryUnit.ts"
import { zeroHash } from "../model/Snapshot.ts"
import type { ConnectionState } from "./Connection.ts"
import { type ExportFacts, exportView } from "./export/ExportStatus.ts"
import type { LicenseReport } from "./LicenseGuard.ts"
import type { LiveState } from "./LiveConfig.ts"
import type { PeerCounts } from "./PeerListener.ts"
import type { ProxyCounts } from "./Proxy.ts"
import { type TelemetryFacts, telemetryView } from "./TelemetryStatus.ts"
import { clockStatus, type TrustedClockFacts } from "./TrustedClock.ts"

/** What the process takes of the machine's memory, in bytes. */
export interface MemoryUse {
  readonly pid: number
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  readonly rss: number
}

export interface NodeFacts {
  readonly nodeId: string
  readonly hostname: string
  readonly version: string
  readonly startedAtMs: number
  readonly nowMs: number
  /** Durations are told by the monotonic clock: what time it is may be corrected meanwhile. */
  readonly uptimeMs: number
  readonly monotonicMs: number
  readonly live: LiveState
  /** What the running configuration holds that is not served as written, one line each. */
  readonly warnings: ReadonlyArray<string>
  readonly connection: ConnectionState
  /** `undefined` until the proxy listeners are open. */
  readonly proxy: ProxyCounts | undefined
  readonly isDraining: boolean
  readonly cacheProblem: string | undefined
  /** Of the certificate that the node shows its control plane; `undefined` on a node on its own. */
  readonly clusterCertificateExpiresAtMs: number | undefined
  readonly license: LicenseReport
  readonly telemetry: TelemetryFacts
  /** `undefined` where neighbours can't ask this node. */
  readonly peers: PeerCounts | undefined
  /** `undefined` where nothing is exported. */
  readonly configExport: ExportFacts | undefined
  readonly clock: TrustedClockFacts
}

const secondsBetween = (fromMs: number | undefined, toMs: number): number | null =>
  fromMs === undefined ? null : Math.max(0, Math.round((toMs - fromMs) / 1000))

export interface CacheView {
  /** Whether what serves is in the cache on disk; `undefined` where nothing is to be there. */
  readonly isCached: boolean | undefined
  readonly words: string
}

export const cacheView = ({ live, cacheProblem }: Pick<NodeFacts, "live" | "cacheProblem">): CacheView => {
  const notToBeThere = (words: string): CacheView => ({ isCached: undefined, words })
  if (!live.sources.includes("disk")) return notToBeThere("off: config_sources leaves the disk out")
  if (cacheProblem !== undefined) return { isCached: false, words: `not written: ${cacheProblem}` }
  if (live.source === "empty") return notToBeThere("nothing to keep: no configuration serves")
  // It stands on disk as it is; a cached copy would outlive its next edit.
  if (live.source === "declarative_file") return notToBeThere("not used: the declarative file serves")
  return { isCached: true, words: "ok" }
}

const configuration = ({ live, nowMs, cacheProblem, warnings }: NodeFacts) => ({
  source: live.source,
  hash: live.hash,
  routes: live.routeCount,
  /** Since when this node serves it, and how old it is since a control plane (or the file) gave it. */
  serving_since: isoOrNull(live.sinceMs),
  received_at: isoOrNull(live.receivedAtMs),
  age_seconds: secondsBetween(live.receivedAtMs, nowMs),
  warnings,
  not_served: live.snapshot?.notServed ?? [],
  cache: cacheView({ live, cacheProblem }).words,
  last_rejection:
    live.lastRejection === undefined
      ? null
      : {
          at: isoOrNull(live.lastRejection.atMs),
          source: live.lastRejection.source,
          hash: live.lastRejection.hash ?? null,
          reasons: live.lastRejection.reasons
        }
})

/** What this node uses, best first, and why what is at least as good as what serves does not serve. */
const ladder = ({ live }: NodeFacts) => ({
  sources: live.sources,
  passed_over: live.passedOver.map(({ source, reasons }) => ({ rung: source, reasons }))
})

const controlPlane = ({ connection, monotonicMs, clusterCertificateExpiresAtMs }: NodeFacts) => ({
  state: connection._tag,
  since: isoOrNull(connection.sinceMs),
  for_seconds: secondsBetween(connection.sinceMonotonicMs, monotonicMs),
  ...(connection._tag === "disconnected" ? { attempts: connection.attempts, reason: connection.reason } : {}),
  ...(clusterCertificateExpiresAtMs === undefined
    ? {}
    : { certificate_expires_at: isoOrNull(clusterCertificateExpiresAtMs) })
})

/** Never what stands in the licence beyond its dates: the rest is its holder's. */
const licenseView = ({ license }: NodeFacts) => ({
  state: license.state,
  serving: !license.stops,
  source: license.source ?? null,
  expires_at: isoOrNull(license.expiresAtMs),
  days_left: license.daysLeft ?? null,
  grace_until: isoOrNull(license.graceUntilMs),
  next_change_at: isoOrNull(license.nextChangeAtMs),
  signature: license.signature ?? null,
  /** What stands at a source and was not taken: it has to be mended there. */
  refused: license.refused
})

/** Where neighbours get the configuration, and how often they did. */
const peersView = ({ peers }: NodeFacts) => {
  if (peers === undefined) return { listening: false }
  const { addresses, given, told, nothing, busy, cutOff, refused } = peers
  return {
    listening: true,
    addresses: addresses.map(formatAddress),
    given,
    told,
    nothing,
    busy,
    cut_off: cutOff,
    refused
  }
}

/** Kong's two lists; there are no workers and no shared dictionaries here, but one process that has its memory to itself. */
const memoryUse = ({ pid, heapUsed, heapTotal, external, rss }: MemoryUse, format: MemoryFormat) => ({
  workers_lua_vms: [{ http_allocated_gc: format(heapUsed), pid }],
  lua_shared_dicts: {},
  process: {
    pid,
    rss: format(rss),
    heap_used: format(heapUsed),
    heap_total: format(heapTotal),
    external: format(external)
  }
})

/** The states are nginx's: an open connection is written to while a request on it is answered, and waits otherwise. */
export const serverCounts = (proxy: ProxyCounts | undefined) => {
  const { active, accepted, requests, inFlight } = proxy ?? { active: 0, accepted: 0, requests: 0, inFlight: 0 }
  const writing = Math.min(active, inFlight)
  return {
    connections_active: active,
    connections_reading: 0,
    connections_writing: writing,
    connections_waiting: active - writing,
    connections_accepted: accepted,
    connections_handled: accepted,
    requests_in_flight: inFlight,
    total_requests: requests
  }
}

const node = ({ nodeId, hostname, version, startedAtMs, uptimeMs, isDraining }: NodeFacts) => ({
  id: nodeId,
  hostname,
  version,
  started_at: isoOrNull(startedAtMs),
  uptime_seconds: Math.floor(uptimeMs / 1000),
  draining: isDraining
})

export const statusBody = (facts: NodeFacts, memory: MemoryUse, format: MemoryFormat) => {
  const reason = unreadyReason(facts)
  return {
    node_id: facts.nodeId,
    configuration_hash: facts.live.hash,
    memory: memoryUse(memory, format),
    server: serverCounts(facts.proxy),
    ready: reason === undefined,
    ...(reason === undefined ? {} : { not_ready_because: reason }),
    node: node(facts),
    configuration: configuration(facts),
    ladder: ladder(facts),
    control_plane: controlPlane(facts),
    license: licenseView(facts),
    telemetry: telemetryView(facts.telemetry),
    peers: peersView(facts),
    export: exportView(facts.configExport),
    clock: clockStatus(facts.clock)
  }
}

/** Why the node is not ready; `undefined` when it is. The connection to the control plane plays no part. */
export const unreadyReason = ({
  isDraining,
  proxy,
  live,
  license
}: Pick<NodeFacts, "isDraining" | "proxy" | "live" | "license">): string | undefined => {
  if (isDraining) return "draining"
  if (license.stops) return `license expired (${isoOrNull(license.expiresAtMs)})`
  if (live.receivedAtMs === undefined) return "no configuration available (configuration hash is not initialized)"
  if (live.hash === zeroHash) return "no configuration available (empty configuration present)"
  if (proxy === undefined) return "proxy listeners are not open yet"
  return undefined
}

export const readyAnswer = (facts: NodeFacts) => {
  const reason = unreadyReason(facts)
  return {
    status: reason === undefined ? 200 : 503,
    body: {
      message: reason ?? "ready",
      configuration: configuration(facts),
      control_plane: controlPlane(facts),
      license: licenseView(facts)
    }
  }
}
