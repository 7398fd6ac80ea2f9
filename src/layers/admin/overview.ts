/** What the admin API tells about the control plane itself and its data planes: `hybrid-protocol-v1.md` §11. */
import { Clock, Effect } from "effect"
import { type AdminAnswer, answers } from "../../model/AdminErrors.ts"
import type { Row } from "../../model/Entity.ts"
import { type DataPlaneRecord, type FleetView, shownDataPlane, shownInStatus } from "../../model/Fleet.ts"
import { metricsContentType } from "../../model/metrics/PrometheusText.ts"
import { version } from "../../model/version.ts"
import { ClusterHub } from "../../services/control/ClusterHub.ts"
import { FleetMetrics } from "../../services/control/FleetMetrics.ts"
import { Payloads } from "../../services/control/Payloads.ts"
import { Registry } from "../../services/control/Registry.ts"
import { TelemetryStore } from "../../services/control/TelemetryStore.ts"
import { Plugins } from "../../services/Plugins.ts"
import { Settings } from "../../services/Settings.ts"

const expectedHash = Effect.gen(function* () {
  const payload = yield* Effect.result(Effect.flatMap(Payloads, ({ newest }) => newest))
  return payload._tag === "Success" ? payload.success.hash : undefined
})

const info = Effect.gen(function* () {
  const settings = yield* Settings
  const catalogue = yield* Plugins
  const payload = yield* Effect.option(Effect.flatMap(Payloads, ({ newest }) => newest))
  const answer: AdminAnswer = {
    status: 200,
    body: {
      version: settings.kong_version,
      tagline: "Welcome to Holdfast",
      holdfast_version: version,
      configuration: { role: settings.role, database: "sqlite", router_flavor: "traditional_compatible" },
      plugins: {
        available_on_server: Object.fromEntries([...catalogue].map(([name, { priority }]) => [name, { priority }])),
        enabled_in_cluster: payload._tag === "Some" ? payload.value.plugins.toSorted() : []
      }
    }
  }
  return answer
})

const status = Effect.gen(function* () {
  const hash = yield* expectedHash
  const present = yield* Effect.flatMap(ClusterHub, (hub) => hub.present)
  const answer: AdminAnswer = {
    status: 200,
    body: {
      database: { reachable: hash !== undefined },
      configuration_hash: hash ?? null,
      data_planes: { connected: new Set(present.map(({ nodeId }) => nodeId)).size }
    }
  }
  return answer
})

const showWith = Effect.gen(function* () {
  const { cluster_data_plane_purge_delay } = yield* Settings
  const since = new Map<string, number>()
  // The newest session of a node is the one that counts.
  for (const { nodeId, sinceMs } of yield* Effect.flatMap(ClusterHub, (hub) => hub.present)) since.set(nodeId, sinceMs)
  // A store that fails must not hide the fleet.
  const telemetry = yield* Effect.flatMap(TelemetryStore, ({ nodes }) => nodes).pipe(
    Effect.catch((error) => Effect.as(Effect.logError("admin request failed", error), new Map<string, never>()))
  )
  const common: Omit<FleetView, "connectedSinceMs" | "telemetry"> = {
    nowMs: yield* Clock.currentTimeMillis,
    expectedHash: yield* expectedHash,
    purgeDelayMs: cluster_data_plane_purge_delay * 1000
  }
  return (node: DataPlaneRecord): Row =>
    shownDataPlane(node, { ...common, connectedSinceMs: since.get(node.id), telemetry: telemetry.get(node.id) })
})

const dataPlanes = Effect.gen(function* () {
  const show = yield* showWith
  const nodes = yield* Effect.flatMap(Registry, (registry) => registry.all)
  const answer: AdminAnswer = { status: 200, body: { data: nodes.map(show), next: null } }
  return answer
})

const dataPlane = (id: string) =>
  Effect.gen(function* () {
    const show = yield* showWith
    const node = yield* Effect.flatMap(Registry, (registry) => registry.find(id))
    const answer: AdminAnswer = node === undefined ? answers.notFound : { status: 200, body: show(node) }
    return answer
  })

/** §11: kept for clients that have not moved on. */
const deprecatedStatus = Effect.gen(function* () {
  const nodes = yield* Effect.flatMap(Registry, (registry) => registry.all)
  const body = Object.fromEntries(nodes.map((node) => [node.id, shownInStatus(node)]))
  const answer: AdminAnswer = { status: 200, body, headers: { deprecation: "true" } }
  return answer
})

const dataPlanePath = /^\/clustering\/data-planes\/([^/]+)$/

/** Behind the admin token; `status_listen` has the same without one. */
const metrics = Effect.gen(function* () {
  const body = yield* Effect.flatMap(FleetMetrics, ({ text }) => text)
  const answer: AdminAnswer = { status: 200, body, headers: { "content-type": metricsContentType } }
  return answer
})

type OverviewServices = Settings | Plugins | Registry | ClusterHub | Payloads | FleetMetrics | TelemetryStore

/** The answer to a request about the control plane itself; `undefined` when the path is about something else. */
export const overviewOf = (path: string): Effect.Effect<AdminAnswer, never, OverviewServices> | undefined => {
  switch (path) {
    case "/":
      return info
    case "/status":
      return status
    case "/metrics":
      return metrics
    case "/clustering/status":
      return deprecatedStatus
    case "/clustering/data-planes":
      return dataPlanes
    default: {
      const id = dataPlanePath.exec(path)?.[1]
      return id === undefined ? undefined : dataPlane(id.toLowerCase())
    }
  }
}
