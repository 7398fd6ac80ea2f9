/** What has come of the data planes' telemetry, for the metrics; nothing, where nobody receives any. */
import { Context, Effect } from "effect"

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
