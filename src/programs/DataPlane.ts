/**
 * A data plane node, in the order of its life (`DESIGN.md`, "The life of a node"): the status listener opens, the local
 * rungs serve, the licence is judged, the proxy listeners open, the control plane is dialled, for ever. The whole is one layer: building it
 * starts the node, closing its scope drains and stops it.
 */
import { Context, Effect, Layer, MutableRef, SubscriptionRef } from "effect"
import * as SettingClusterKeys from "../layers/cache-keys/SettingClusterKeys.ts"
import type { Plugin } from "../model/plugin/Plugin.ts"
import { hasCluster } from "../model/settingRules.ts"
import { AccessLog } from "../services/AccessLog.ts"
import { askRemoteRungs } from "../services/askRemoteRungs.ts"
import { keepCacheRenewed } from "../services/CacheRenewal.ts"
import { ClusterIdentity } from "../services/ClusterIdentity.ts"
import { ClusterKeys } from "../services/ClusterKeys.ts"
import type { Compression } from "../services/Compression.ts"
import type { ConfigCache } from "../services/ConfigCache.ts"
import { ConfigEncoding } from "../services/ConfigEncoding.ts"
import { Connection } from "../services/Connection.ts"
import { ConnectionStatus } from "../services/ConnectionStatus.ts"
import { Disk } from "../services/Disk.ts"
import { DiskSilence, impatient, listenedTo } from "../services/DiskSilence.ts"
import { exportablesOfLiveConfig } from "../services/export/fromLiveConfig.ts"
import { keepExported } from "../services/export/keepExported.ts"
import { Identity } from "../services/Identity.ts"
import { serveLocalRungs } from "../services/Ladder.ts"
import type { LicenseGuard } from "../services/LicenseGuard.ts"
import type { LiveConfig } from "../services/LiveConfig.ts"
import * as LocalReload from "../services/LocalReload.ts"
import { NodeHealth } from "../services/NodeHealth.ts"
import { PeerListener } from "../services/PeerListener.ts"
import { PeerRungs } from "../services/PeerRungs.ts"
import { Proxy } from "../services/Proxy.ts"
import type { Reload } from "../services/Reload.ts"
import { RequestCounters } from "../services/RequestCounters.ts"
import { RequestObservers } from "../services/RequestObservers.ts"
import { keepSealed } from "../services/SealRenewal.ts"
import type { SecureRandom } from "../services/SecureRandom.ts"
import { Settings } from "../services/Settings.ts"
import type { StartError } from "../services/StartError.ts"
import { StatusListener } from "../services/StatusListener.ts"
import { supervise } from "../services/supervise.ts"
import { TelemetryDelivery } from "../services/TelemetryDelivery.ts"
import { TelemetrySpool } from "../services/TelemetrySpool.ts"
import { TelemetryStatus } from "../services/TelemetryStatus.ts"
import { Tracing } from "../services/Tracing.ts"
import type { TrustedClock } from "../services/TrustedClock.ts"
import { type DataPlaneParts, dataPlaneParts } from "./dataPlaneParts.ts"
import { apart, givenSettings, type ProgramOptions } from "./parts.ts"
import { pluginsLayer } from "./plugins.ts"

const identityOf = (parts: DataPlaneParts) => parts.clusterIdentity.pipe(Layer.provide(parts.fileWatch))

const tellExpiry = Effect.gen(function* () {
  const { current } = yield* ClusterIdentity
  const { clusterCertificateExpiresAtMs } = yield* NodeHealth
  MutableRef.set(clusterCertificateExpiresAtMs, () => SubscriptionRef.getUnsafe(current).expiresAtMs)
})

/** Read before anything opens: a node that could never join says so at once. A node on its own needs none. */
const credentials = (parts: DataPlaneParts) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      return hasCluster(settings) ? Layer.effectDiscard(tellExpiry).pipe(Layer.provide(identityOf(parts))) : Layer.empty
    })
  )

/** A node on its own reads what it encrypted while it had a control plane, as long as a setting names the key. */
const clusterKeys = (parts: DataPlaneParts) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      return settings.cluster_control_plane === undefined
        ? SettingClusterKeys.layer
        : ClusterKeys.layerOfIdentity.pipe(Layer.provide(identityOf(parts)))
    })
  )

const serveRungs = Effect.gen(function* () {
  const follow = yield* LocalReload.beginFollowing
  yield* serveLocalRungs
  yield* follow
  yield* supervise("asking remote sources", askRemoteRungs)
  yield* keepCacheRenewed
  yield* keepExported(exportablesOfLiveConfig, (yield* NodeHealth).configExport)
  yield* keepSealed
})

/** The disk, and whether it answers: a node starts all the same. */
const attendedDisk = (parts: DataPlaneParts) =>
  Layer.effectContext(
    Effect.map(Disk, (given) => {
      const { disk, silence } = listenedTo(given)
      return Context.add(Context.make(Disk, disk), DiskSilence, silence)
    })
  ).pipe(Layer.provide(parts.disk))

/** For parts that must have a file before they are there. */
const impatientDisk = Layer.effect(
  Disk,
  Effect.gen(function* () {
    return impatient(yield* Disk, yield* DiskSilence)
  })
)

/** What every other part may lean on: the machine, by way of services. */
const machine = (parts: DataPlaneParts) =>
  Layer.merge(parts.trustedClock.pipe(Layer.provideMerge(attendedDisk(parts))), parts.secureRandom)

/** Whoever hears of every request, in the order in which they are told: one line for each. */
const observers = (parts: DataPlaneParts) =>
  Layer.effect(
    RequestObservers,
    Effect.gen(function* () {
      const counters = yield* RequestCounters
      const { observe: log } = yield* AccessLog
      const { tracer } = yield* Tracing
      return [
        counters.record,
        ...(log === undefined ? [] : [log]),
        ...(tracer === undefined ? [] : [tracer.observe]),
        ...(yield* RequestObservers)
      ]
    })
  ).pipe(Layer.provide(parts.requestObservers))

/** Neighbours are asked while the control plane is away, and where there is none it never is. */
const peerRungs = (parts: DataPlaneParts) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { config_peers, cluster_control_plane } = yield* Settings
      if (config_peers === undefined || cluster_control_plane === undefined) return PeerRungs.none
      return parts.peerRungs.pipe(
        Layer.provide(parts.nameServers),
        Layer.provide(parts.clusterTransport),
        Layer.provide(identityOf(parts))
      )
    })
  )

/** Everything that answers, in the order in which it opens: status listener, local rungs, licence, proxy. */
const serving = (parts: DataPlaneParts) => {
  const trust = Layer.merge(parts.configTrust.pipe(Layer.provide(clusterKeys(parts))), parts.envelopeProtection).pipe(
    Layer.provide(impatientDisk)
  )
  const live = parts.liveConfig.pipe(Layer.provide(parts.router))
  const asked = parts.statusListener.pipe(
    Layer.provide(credentials(parts)),
    Layer.provideMerge(parts.nodeMetrics),
    Layer.provideMerge(
      Layer.mergeAll(
        live,
        parts.identity,
        parts.resolver,
        ConnectionStatus.layer,
        NodeHealth.layer,
        TelemetryStatus.layer
      )
    ),
    Layer.provideMerge(parts.requestCounters)
  )
  const cache = parts.configCache.pipe(
    Layer.provide(parts.cacheProtection),
    Layer.provideMerge(parts.cacheKeys.pipe(Layer.provide(impatientDisk), Layer.provide(clusterKeys(parts)))),
    Layer.provideMerge(ConfigEncoding.layer),
    Layer.provideMerge(parts.compression)
  )
  const rungs = Layer.effectDiscard(serveRungs).pipe(
    Layer.provideMerge(LocalReload.layer),
    Layer.provide([parts.declarativeConfig, parts.remoteRungs.pipe(Layer.provide(peerRungs(parts))), parts.fileWatch]),
    // Not the disk that is listened to: a shared folder that is silent says nothing about the disk of the cache.
    Layer.provide(parts.configStorage.pipe(Layer.provide(parts.disk))),
    Layer.provideMerge(cache),
    Layer.provideMerge(asked)
  )
  // Behind the rungs, whose configuration may hold the licence; before the proxy, which must not serve without.
  const license = parts.licenseGuard.pipe(Layer.provide(impatientDisk), Layer.provide(parts.fileWatch))
  return parts.proxy.pipe(
    Layer.provide([parts.serverCertificate, parts.errorTemplates, parts.upstreamCredentials, observers(parts)]),
    // Not the disk that is listened to: a log that can't be written says nothing about the disk of the cache.
    Layer.provideMerge(parts.accessLog.pipe(Layer.provide(parts.disk))),
    Layer.provide(Layer.merge(parts.tracing, parts.metricsExport).pipe(Layer.provide(parts.httpClient))),
    Layer.provideMerge(license),
    Layer.provideMerge(rungs),
    Layer.provideMerge(trust)
  )
}

/** Towards a control plane, where there is one. */
const connecting = (parts: DataPlaneParts) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      if (settings.cluster_control_plane === undefined)
        return Layer.merge(
          Layer.succeed(Connection, { run: Effect.never }),
          TelemetryDelivery.layerLocal("there is no control plane")
        )
      const connection = parts.connection.pipe(
        Layer.provide([parts.configReceiver, parts.heartbeat, parts.clusterDialer])
      )
      const delivery = parts.telemetryDelivery.pipe(Layer.provide(parts.telemetryDialer))
      return Layer.merge(connection, delivery).pipe(
        Layer.provide(parts.reconnectPolicy),
        Layer.provide(parts.clusterTransport),
        Layer.provide(identityOf(parts))
      )
    })
  )

/** Opens when there may be something to give. */
const peering = (parts: DataPlaneParts) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { config_peer_listen } = yield* Settings
      return config_peer_listen.length === 0
        ? PeerListener.none
        : parts.peerListener.pipe(Layer.provide(identityOf(parts)))
    })
  )

const operate = Effect.gen(function* () {
  const proxy = yield* Proxy
  const status = yield* StatusListener
  const health = yield* NodeHealth
  const { nodeId, version } = yield* Identity
  const { run } = yield* Connection
  const peers = yield* PeerListener
  const delivery = yield* TelemetryDelivery
  const { flush } = yield* TelemetrySpool
  MutableRef.set(health.proxy, proxy.counts)
  const show = ({ host, port }: { readonly host: string; readonly port: number }) => `${host}:${port}`
  yield* Effect.logInfo("data plane started").pipe(
    Effect.annotateLogs({
      nodeId,
      version,
      proxy: proxy.addresses.map(show),
      status: status.addresses.map(show),
      ...(peers.addresses.length === 0 ? {} : { peers: peers.addresses.map(show) })
    })
  )
  yield* supervise("connection", run)
  yield* supervise("delivery of telemetry", delivery.run)
  // Added last, so run first: traffic drains while the status listener still answers and the session still lives.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      MutableRef.set(health.isDraining, true)
      yield* Effect.logInfo("draining").pipe(Effect.annotateLogs({ inFlight: proxy.counts().inFlight }))
      yield* proxy.drain
      yield* Effect.logInfo("drained")
      yield* flush
    })
  )
})

/** What a running node offers to whoever started it. */
export type DataPlaneServices =
  | AccessLog
  | Proxy
  | StatusListener
  | LiveConfig
  | LicenseGuard
  | Reload
  | ConfigCache
  | Compression
  | Identity
  | ConnectionStatus
  | NodeHealth
  | RequestCounters
  | TelemetryStatus
  | TelemetrySpool
  | Disk
  | SecureRandom
  | TrustedClock

/** The node of whoever provides the settings: the daemon's. */
const layerFromSettings = (
  parts: Partial<DataPlaneParts> = {},
  plugins: ReadonlyArray<Plugin> = []
): Layer.Layer<DataPlaneServices, StartError, Settings> => {
  const all: DataPlaneParts = { ...dataPlaneParts, ...parts }
  return apart(
    Layer.effectDiscard(operate).pipe(
      Layer.provide([connecting(all), peering(all)]),
      Layer.provideMerge(all.telemetrySpool),
      Layer.provideMerge(serving(all)),
      Layer.provideMerge(machine(all)),
      Layer.provide(pluginsLayer(plugins))
    )
  )
}

/**
 * A node from settings given in code. Any part may be swapped by a layer of one's own for the same service:
 * `DataPlane.layer({ settings, parts: { router: Layer.succeed(Router, { compile }) } })`, and `plugins` are plugins of
 * one's own. Closing the layer's scope drains the node. Wrong settings are a `StartError` with all their faults.
 */
const layer = ({
  settings = {},
  parts,
  plugins
}: ProgramOptions<DataPlaneParts> = {}): Layer.Layer<DataPlaneServices, StartError> =>
  layerFromSettings(parts, plugins).pipe(Layer.provide(givenSettings({ ...settings, role: "data_plane" })))

export const DataPlane = { layer, layerFromSettings }
