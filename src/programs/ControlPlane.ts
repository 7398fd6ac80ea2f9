/** The control plane: the store, the admin API over it, and the cluster listener that brings it to the data planes. */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import * as NodeAdminListener from "../layers/admin/NodeAdminListener.ts"
import * as HttpsClusterListener from "../layers/cluster-listener/HttpsClusterListener.ts"
import * as PemClusterIdentity from "../layers/credentials/PemClusterIdentity.ts"
import * as ExportedPayloads from "../layers/ExportedPayloads.ts"
import * as MemoryClusterHub from "../layers/MemoryClusterHub.ts"
import * as PushLoop from "../layers/PushLoop.ts"
import * as RandomIds from "../layers/RandomIds.ts"
import * as SqliteConfigStore from "../layers/sqlite/SqliteConfigStore.ts"
import * as SqliteRegistry from "../layers/sqlite/SqliteRegistry.ts"
import * as StoreFile from "../layers/sqlite/StoreFile.ts"
import * as ZlibCompression from "../layers/ZlibCompression.ts"
import type { Fault } from "../model/Fault.ts"
import { formatAddress } from "../model/listenFault.ts"
import type { SettingValues } from "../model/SettingTable.ts"
import { settingRules } from "../model/settingRules.ts"
import type { ConfigStore } from "../services/control/ConfigStore.ts"
import { AdminListener, ClusterListener } from "../services/control/Listeners.ts"
import type { Registry } from "../services/control/Registry.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"

/** What the listeners owe: an admin listener without TLS, a cluster listener at all. */
const listenFaults = ({ admin_listen, cluster_listen }: SettingValues): ReadonlyArray<Fault> => [
  ...admin_listen
    .filter(({ isTls }) => isTls)
    .map((address) => ({
      path: ["admin_listen"],
      message: "expected no ssl: the admin API speaks plain HTTP",
      value: formatAddress(address)
    })),
  ...(cluster_listen.length === 0
    ? [{ path: ["cluster_listen"], message: "expected at least one address for data planes to dial" }]
    : [])
]

const checkSettings = Effect.gen(function* () {
  const settings = yield* Settings
  const faults = [...settingRules({ ...settings, role: "control_plane" }), ...listenFaults(settings)]
  if (faults.length > 0) return yield* new StartError({ faults, exitCode: 2 })
})

const storeBroken = (error: { readonly message: string }) =>
  new StartError({
    faults: [{ path: ["prefix"], message: `expected a store that can be read and written (${error.message})` }],
    exitCode: 1
  })

const asStartError = <A, E extends { readonly message: string }, R>(layer: Layer.Layer<A, E, R>) =>
  layer.pipe(Layer.catch((error) => Layer.effectContext<A, StartError, never>(Effect.fail(storeBroken(error)))))

const announce = Effect.gen(function* () {
  const admin = yield* AdminListener
  const cluster = yield* ClusterListener
  yield* Effect.logInfo("control plane ready").pipe(
    Effect.annotateLogs({
      admin: admin.addresses.map(formatAddress).join(", "),
      cluster: cluster.addresses.map(formatAddress).join(", ")
    })
  )
})

const records: Layer.Layer<ConfigStore | Registry, StartError, SqlClient.SqlClient | Settings> = asStartError(
  Layer.merge(SqliteConfigStore.layer.pipe(Layer.provide(RandomIds.layer)), SqliteRegistry.layer)
)

const core = ExportedPayloads.layer.pipe(
  Layer.provide(ZlibCompression.layer),
  Layer.provideMerge(records),
  Layer.merge(MemoryClusterHub.layer)
)

const listeners = Layer.merge(
  NodeAdminListener.layer,
  HttpsClusterListener.layer.pipe(Layer.provide(PemClusterIdentity.layer))
)

/** Everything above the SQL client, so that a test may put it over `:memory:`. */
const layerOverSql: Layer.Layer<
  AdminListener | ClusterListener | ConfigStore | Registry,
  StartError,
  SqlClient.SqlClient | Settings
> = Layer.effectDiscard(announce).pipe(
  Layer.merge(PushLoop.layer),
  Layer.provideMerge(listeners),
  Layer.provideMerge(core)
)

const layer: Layer.Layer<AdminListener | ClusterListener | ConfigStore | Registry, StartError, Settings> = Layer.unwrap(
  Effect.as(checkSettings, layerOverSql.pipe(Layer.provide(StoreFile.layer)))
)

export const ControlPlane = { layer, layerOverSql }
