/** What has come of the data planes' telemetry, for the metrics; nothing, where nobody receives any. */
import { Context, Effect, Layer } from "effect"
import { TelemetryStore } from "./TelemetryStore.ts"

export interface NodeTelemetry {
  readonly nodeId: string
  /** Committed since the control plane started. */
  readonly records: number
  readonly lastReceivedMs: number | undefined
  /** Still with the node, as it said last; `undefined` when it did not. */
  readonly spooledRecords: number | undefined
}

export const FleetTelemetry = Context.Reference<Effect.Effect<ReadonlyArray<NodeTelemetry>>>(
  "holdfast/services/control/FleetTelemetry",
  { defaultValue: () => Effect.succeed([]) }
)

/** What the store knows; nothing while it fails, of which other metrics tell. */
export const layerOfStore: Layer.Layer<never, never, TelemetryStore> = Layer.effect(
  FleetTelemetry,
  Effect.map(TelemetryStore, ({ nodes }) =>
    nodes.pipe(
      Effect.map((known) =>
        [...known].map(([nodeId, { committed, receivedMs, spooled }]) => ({
          nodeId,
          records: committed,
          lastReceivedMs: receivedMs,
          spooledRecords: spooled.records
        }))
      ),
      Effect.orElseSucceed((): ReadonlyArray<NodeTelemetry> => [])
    )
  )
)
