/** FleetMetrics, gathered anew whenever somebody asks. */
import { Effect, Layer, MutableRef } from "effect"
import { ClusterHub } from "../../services/control/ClusterHub.ts"
import { ExportHealth } from "../../services/control/ExportHealth.ts"
import { FleetMetrics, fleetMetricsText } from "../../services/control/FleetMetrics.ts"
import { Payloads } from "../../services/control/Payloads.ts"
import { Registry } from "../../services/control/Registry.ts"
import { TelemetryStore } from "../../services/control/TelemetryStore.ts"
import { Settings } from "../../services/Settings.ts"
import { processUse } from "./processUse.ts"

const make = Effect.gen(function* () {
  const { kong_version: version, cluster_max_payload: payloadLimitBytes } = yield* Settings
  const registry = yield* Registry
  const hub = yield* ClusterHub
  const payloads = yield* Payloads
  const telemetry = yield* TelemetryStore
  const configExport = yield* ExportHealth

  const newest = Effect.map(Effect.option(payloads.newest), (found) =>
    found._tag === "None" ? undefined : { hash: found.value.hash, bytes: found.value.bytes.length }
  )

  const text = Effect.gen(function* () {
    const present = yield* hub.present
    return fleetMetricsText({
      version,
      nodes: yield* registry.all,
      connected: new Set(present.map(({ nodeId }) => nodeId)),
      payload: yield* newest,
      payloadLimitBytes,
      pushes: yield* hub.pushes,
      telemetry: yield* Effect.orElseSucceed(telemetry.nodes, () => new Map()),
      configExport: MutableRef.get(configExport),
      process: processUse()
    })
  })
  return FleetMetrics.of({ text, isStoreReachable: Effect.map(newest, (payload) => payload !== undefined) })
})

export const layer: Layer.Layer<
  FleetMetrics,
  never,
  Settings | Registry | ClusterHub | Payloads | TelemetryStore | ExportHealth
> = Layer.effect(FleetMetrics, make)
