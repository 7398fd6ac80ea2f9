/** Every part of a control plane that can be swapped, with the layer that stands there by default. */
import { Effect, Layer } from "effect"
import * as AgeEnvelopes from "../layers/AgeEnvelopes.ts"
import * as NodeAdminListener from "../layers/admin/NodeAdminListener.ts"
import * as HttpsClusterListener from "../layers/cluster-listener/HttpsClusterListener.ts"
import * as SigningConfigTrust from "../layers/config-trust/SigningConfigTrust.ts"
import * as PemClusterIdentity from "../layers/credentials/PemClusterIdentity.ts"
import * as ExportedPayloads from "../layers/ExportedPayloads.ts"
import * as MemoryClusterHub from "../layers/MemoryClusterHub.ts"
import * as GatheredFleetMetrics from "../layers/metrics/GatheredFleetMetrics.ts"
import * as NodeDisk from "../layers/NodeDisk.ts"
import * as WorkerConfigStorage from "../layers/object-storage/WorkerConfigStorage.ts"
import * as PemConfigSigner from "../layers/PemConfigSigner.ts"
import * as PushLoop from "../layers/PushLoop.ts"
import * as RandomIds from "../layers/RandomIds.ts"
import * as StatFileWatch from "../layers/StatFileWatch.ts"
import * as SqliteConfigStore from "../layers/sqlite/SqliteConfigStore.ts"
import * as SqliteRegistry from "../layers/sqlite/SqliteRegistry.ts"
import * as StoreFile from "../layers/sqlite/StoreFile.ts"
import * as SqliteTelemetryStore from "../layers/sqlite/telemetry/SqliteTelemetryStore.ts"
import * as ControlPlaneStatusListener from "../layers/status-listener/ControlPlaneStatusListener.ts"
import * as ZlibCompression from "../layers/ZlibCompression.ts"
import { StartError } from "../services/StartError.ts"
import { TrustedClock } from "../services/TrustedClock.ts"
import type { PartsOf } from "./parts.ts"

const storeBroken = (error: { readonly message: string }) =>
  new StartError({
    faults: [{ path: ["prefix"], message: `expected a store that can be read and written (${error.message})` }],
    exitCode: 1
  })

const asStartError = <A, E extends { readonly message: string }, R>(layer: Layer.Layer<A, E, R>) =>
  layer.pipe(Layer.catch((error) => Layer.effectContext<A, StartError, never>(Effect.fail(storeBroken(error)))))

export const controlPlaneParts = {
  /** The file system, where the files of the cluster certificate are read and followed. */
  disk: NodeDisk.layer,
  /** The SQL client, over the store's file, with its tables made. */
  database: StoreFile.layer,
  /** Names new rows. */
  ids: RandomIds.layer,
  /** Keeps the entities. */
  configStore: asStartError(SqliteConfigStore.layer),
  /** Keeps what is known of the data planes. */
  registry: asStartError(SqliteRegistry.layer),
  /** Keeps what the data planes counted. */
  telemetryStore: SqliteTelemetryStore.layer,
  compression: ZlibCompression.layer,
  /** Where configurations lie for nodes that can't reach their control plane, where that is asked for. */
  configStorage: WorkerConfigStorage.layer,
  /** Signs what is sent, where there is a key. */
  configSigner: PemConfigSigner.layer,
  /** What a configuration goes through on its way to object storage and back. */
  envelopeProtection: AgeEnvelopes.layer,
  /** Whose signatures count when it looks at what others exported. */
  configTrust: SigningConfigTrust.layer,
  /** Makes the configuration as it goes over the wire. */
  payloads: ExportedPayloads.layer,
  /** The sessions of the data planes that are connected. */
  clusterHub: MemoryClusterHub.layer,
  /** Brings every change to the connected data planes. */
  pushLoop: PushLoop.layer,
  /** What time the control plane believes it is. */
  trustedClock: TrustedClock.layerWall,
  /** Tells when the files of the cluster certificate change. */
  fileWatch: StatFileWatch.layer,
  /** Who the control plane is towards its data planes. */
  clusterIdentity: PemClusterIdentity.layer,
  /** One look at every metric, for whoever scrapes. */
  fleetMetrics: GatheredFleetMetrics.layer,
  /** Answers probes and scrapes, where status_listen is set. */
  statusListener: ControlPlaneStatusListener.layer,
  adminListener: NodeAdminListener.layer,
  clusterListener: HttpsClusterListener.layer
}

/** See `ControlPlane.layer`. */
export type ControlPlaneParts = PartsOf<typeof controlPlaneParts>
