/**
 * A data plane node, in the order of its life (`DESIGN.md`, "The life of a node"): the status listener opens, the local
 * rungs serve, the proxy listeners open, the control plane is dialled, for ever. The whole is one layer: building it
 * starts the node, closing its scope drains and stops it.
 */
import { Effect, Layer, MutableRef } from "effect"
import * as GeneratedServerCertificate from "../layers/credentials/GeneratedServerCertificate.ts"
import * as PemClusterIdentity from "../layers/credentials/PemClusterIdentity.ts"
import * as DiskConfigCache from "../layers/DiskConfigCache.ts"
import * as FileDeclarativeConfig from "../layers/FileDeclarativeConfig.ts"
import * as FileIdentity from "../layers/FileIdentity.ts"
import * as HttpStatusListener from "../layers/HttpStatusListener.ts"
import * as HttpProxy from "../layers/http-proxy/HttpProxy.ts"
import * as OutletConnection from "../layers/OutletConnection.ts"
import * as PingHeartbeat from "../layers/PingHeartbeat.ts"
import * as RefLiveConfig from "../layers/RefLiveConfig.ts"
import * as SlidingConfigReceiver from "../layers/SlidingConfigReceiver.ts"
import * as TraditionalCompatibleRouter from "../layers/TraditionalCompatibleRouter.ts"
import * as WebSocketDialer from "../layers/WebSocketDialer.ts"
import * as ZlibCompression from "../layers/ZlibCompression.ts"
import { ClusterIdentity } from "../services/ClusterIdentity.ts"
import { Connection } from "../services/Connection.ts"
import { ConnectionStatus } from "../services/ConnectionStatus.ts"
import { Identity } from "../services/Identity.ts"
import { serveLocalRungs } from "../services/LocalRungs.ts"
import { NodeHealth } from "../services/NodeHealth.ts"
import { Proxy } from "../services/Proxy.ts"
import { Settings } from "../services/Settings.ts"
import { StatusListener } from "../services/StatusListener.ts"
import { supervise } from "../services/supervise.ts"

const cache = DiskConfigCache.layer.pipe(Layer.provideMerge(ZlibCompression.layer))

const live = RefLiveConfig.layer.pipe(Layer.provide(TraditionalCompatibleRouter.layer))

/** Read before anything opens: a node that could never join says so at once. A node on its own needs none. */
const credentials = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    return settings.cluster_control_plane === undefined
      ? Layer.empty
      : Layer.effectDiscard(ClusterIdentity).pipe(Layer.provide(PemClusterIdentity.layerToleratingExpiry))
  })
)

const asked = HttpStatusListener.layer.pipe(
  Layer.provide(credentials),
  Layer.provideMerge(Layer.mergeAll(live, FileIdentity.layer, ConnectionStatus.layer, NodeHealth.layer))
)

const serving = Layer.effectDiscard(serveLocalRungs).pipe(
  Layer.provide(FileDeclarativeConfig.layer),
  Layer.provideMerge(cache),
  Layer.provideMerge(asked)
)

const proxying = HttpProxy.layer.pipe(Layer.provide(GeneratedServerCertificate.layer), Layer.provideMerge(serving))

/** Towards a control plane, where there is one. */
const connection = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    if (settings.cluster_control_plane === undefined) return Layer.succeed(Connection, { run: Effect.never })
    return OutletConnection.layer.pipe(
      Layer.provide(SlidingConfigReceiver.layer),
      Layer.provide(PingHeartbeat.layer),
      Layer.provide(WebSocketDialer.layer),
      Layer.provide(PemClusterIdentity.layerToleratingExpiry)
    )
  })
)

const operate = Effect.gen(function* () {
  const proxy = yield* Proxy
  const status = yield* StatusListener
  const health = yield* NodeHealth
  const { nodeId, version } = yield* Identity
  const { run } = yield* Connection
  MutableRef.set(health.proxy, proxy.counts)
  const show = ({ host, port }: { readonly host: string; readonly port: number }) => `${host}:${port}`
  yield* Effect.logInfo("data plane started").pipe(
    Effect.annotateLogs({ nodeId, version, proxy: proxy.addresses.map(show), status: status.addresses.map(show) })
  )
  yield* supervise("connection", run)
  // Added last, so run first: traffic drains while the status listener still answers and the session still lives.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      MutableRef.set(health.isDraining, true)
      yield* Effect.logInfo("draining").pipe(Effect.annotateLogs({ inFlight: proxy.counts().inFlight }))
      yield* proxy.drain
      yield* Effect.logInfo("drained")
    })
  )
})

export const layer = Layer.effectDiscard(operate).pipe(Layer.provide(connection), Layer.provideMerge(proxying))

export const DataPlane = { layer }
