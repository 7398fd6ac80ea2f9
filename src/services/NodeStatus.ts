/**
 * What a data plane answers when asked how it is: reference `proxy-behaviour.md` §11 and §11.1, with Holdfast's own
 * fields beside Kong's. Pure: whoever listens gathers the facts.
 */
import { zeroHash } from "../model/Snapshot.ts"
import type { ConnectionState } from "./Connection.ts"
import type { LiveState } from "./LiveConfig.ts"
import type { ProxyCounts } from "./Proxy.ts"

export interface NodeFacts {
  readonly nodeId: string
  readonly nowMs: number
  readonly live: LiveState
  readonly connection: ConnectionState
  /** `undefined` until the proxy listeners are open. */
  readonly proxy: ProxyCounts | undefined
  readonly isDraining: boolean
  readonly cacheProblem: string | undefined
}

const iso = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString())
const secondsBetween = (fromMs: number | undefined, toMs: number): number | null =>
  fromMs === undefined ? null : Math.max(0, Math.round((toMs - fromMs) / 1000))

const configuration = ({ live, nowMs, cacheProblem }: NodeFacts) => ({
  source: live.source,
  hash: live.hash,
  routes: live.routeCount,
  /** Since when this node serves it, and how old it is since a control plane (or the file) gave it. */
  serving_since: iso(live.sinceMs),
  received_at: iso(live.receivedAtMs),
  age_seconds: secondsBetween(live.receivedAtMs, nowMs),
  cache: cacheProblem === undefined ? "ok" : `not written: ${cacheProblem}`,
  last_rejection:
    live.lastRejection === undefined
      ? null
      : {
          at: iso(live.lastRejection.atMs),
          source: live.lastRejection.source,
          hash: live.lastRejection.hash ?? null,
          reasons: live.lastRejection.reasons
        }
})

const controlPlane = ({ connection, nowMs }: NodeFacts) => ({
  state: connection._tag,
  since: iso(connection.sinceMs),
  for_seconds: secondsBetween(connection.sinceMs, nowMs),
  ...(connection._tag === "disconnected" ? { attempts: connection.attempts, reason: connection.reason } : {})
})

export const statusBody = (facts: NodeFacts) => ({
  node_id: facts.nodeId,
  configuration_hash: facts.live.hash,
  server: {
    connections_active: facts.proxy?.active ?? 0,
    connections_accepted: facts.proxy?.accepted ?? 0,
    connections_handled: facts.proxy?.accepted ?? 0,
    requests_in_flight: facts.proxy?.inFlight ?? 0,
    total_requests: facts.proxy?.requests ?? 0
  },
  configuration: configuration(facts),
  control_plane: controlPlane(facts)
})

/** Why the node is not ready; `undefined` when it is. The connection to the control plane plays no part. */
const unreadyReason = ({ isDraining, proxy, live }: NodeFacts): string | undefined => {
  if (isDraining) return "draining"
  if (live.receivedAtMs === undefined) return "no configuration available (configuration hash is not initialized)"
  if (live.hash === zeroHash) return "no configuration available (empty configuration present)"
  if (proxy === undefined) return "proxy listeners are not open yet"
  return undefined
}

export const readyAnswer = (facts: NodeFacts) => {
  const reason = unreadyReason(facts)
  return {
    status: reason === undefined ? 200 : 503,
    body: { message: reason ?? "ready", configuration: configuration(facts), control_plane: controlPlane(facts) }
  }
}
