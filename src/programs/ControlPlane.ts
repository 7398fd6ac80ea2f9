/** The control plane: the store, the admin API over it, and the cluster listener that brings it to the data planes. */
import { Effect, Layer } from "effect"
import type { Fault } from "../model/Fault.ts"
import { formatAddress } from "../model/listenFault.ts"
import type { Plugin } from "../model/plugin/Plugin.ts"
import type { SettingValues } from "../model/SettingTable.ts"
import { settingRules } from "../model/settingRules.ts"
import { ConfigEncoding } from "../services/ConfigEncoding.ts"
import type { ClusterHub } from "../services/control/ClusterHub.ts"
import type { ConfigStore } from "../services/control/ConfigStore.ts"
import { ExportHealth } from "../services/control/ExportHealth.ts"
import { exportablesOfPayloads } from "../services/control/exportPayloads.ts"
import { AdminListener, ClusterListener } from "../services/control/Listeners.ts"
import type { Payloads } from "../services/control/Payloads.ts"
import type { Registry } from "../services/control/Registry.ts"
import type { TelemetryStore } from "../services/control/TelemetryStore.ts"
import { keepExported } from "../services/export/keepExported.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"
import { StatusListener } from "../services/StatusListener.ts"
import { type ControlPlaneParts, controlPlaneParts } from "./controlPlaneParts.ts"
import { apart, givenSettings, type ProgramOptions } from "./parts.ts"
import { pluginsLayer } from "./plugins.ts"

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

const announce = Effect.gen(function* () {
  const admin = yield* AdminListener
  const cluster = yield* ClusterListener
  const status = yield* StatusListener
  yield* Effect.logInfo("control plane ready").pipe(
    Effect.annotateLogs({
      admin: admin.addresses.map(formatAddress).join(", "),
      cluster: cluster.addresses.map(formatAddress).join(", "),
      status: status.addresses.map(formatAddress).join(", "),
      ...(cluster.telemetryAddresses.length === 0
        ? {}
        : { telemetry: cluster.telemetryAddresses.map(formatAddress).join(", ") })
    })
  )
})

/** What data planes would get is put where those find it that can't ask. */
const exporting = (parts: ControlPlaneParts) =>
  Layer.effectDiscard(Effect.flatMap(ExportHealth, (health) => keepExported(exportablesOfPayloads, health))).pipe(
    Layer.provide(ConfigEncoding.layer),
    Layer.provide([parts.configTrust, parts.configStorage]),
    Layer.provide([parts.disk, parts.trustedClock])
  )

const assemble = (parts: ControlPlaneParts) => {
  const records = Layer.mergeAll(
    parts.configStore.pipe(Layer.provide(parts.ids)),
    parts.registry,
    parts.telemetryStore
  ).pipe(Layer.provide(parts.database))
  const core = parts.payloads.pipe(
    Layer.provideMerge(Layer.merge(parts.configSigner, parts.envelopeProtection).pipe(Layer.provide(parts.disk))),
    Layer.provideMerge(parts.compression),
    Layer.provideMerge(records),
    Layer.merge(parts.clusterHub),
    Layer.merge(ExportHealth.layer)
  )
  const watch = parts.fileWatch.pipe(Layer.provide(parts.disk))
  const identity = parts.clusterIdentity.pipe(Layer.provide([watch, parts.disk, parts.trustedClock]))
  const observed = Layer.merge(parts.adminListener, parts.statusListener).pipe(Layer.provide(parts.fleetMetrics))
  const listeners = Layer.merge(observed, parts.clusterListener.pipe(Layer.provide(identity)))
  return Layer.effectDiscard(announce).pipe(
    Layer.merge(parts.pushLoop),
    Layer.merge(exporting(parts)),
    Layer.provideMerge(listeners),
    Layer.provideMerge(core)
  )
}

/** What a running control plane offers to whoever started it. */
export type ControlPlaneServices =
  | AdminListener
  | ClusterListener
  | StatusListener
  | ConfigStore
  | Registry
  | Payloads
  | ClusterHub
  | TelemetryStore

/** The control plane of whoever provides the settings: the daemon's. */
const layerFromSettings = (
  parts: Partial<ControlPlaneParts> = {},
  plugins: ReadonlyArray<Plugin> = []
): Layer.Layer<ControlPlaneServices, StartError, Settings> =>
  apart(
    Layer.unwrap(Effect.as(checkSettings, assemble({ ...controlPlaneParts, ...parts }))).pipe(
      Layer.provide(pluginsLayer(plugins))
    )
  )

/**
 * A control plane from settings given in code. Any part may be swapped by a layer of one's own for the same service:
 * `ControlPlane.layer({ settings, parts: { ids: Layer.succeed(Ids, { uuid, secret }) } })`, and `plugins` are plugins of
 * one's own, whose rows it takes. Wrong settings are a `StartError` with all their faults.
 */
const layer = ({
  settings = {},
  parts,
  plugins
}: ProgramOptions<ControlPlaneParts> = {}): Layer.Layer<ControlPlaneServices, StartError> =>
  layerFromSettings(parts, plugins).pipe(Layer.provide(givenSettings({ ...settings, role: "control_plane" })))

export const ControlPlane = { layer, layerFromSettings }
