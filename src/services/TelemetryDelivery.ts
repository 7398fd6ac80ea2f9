/**
 * Brings what the spool holds to the control plane, batch by batch, whenever there is one: `telemetry.md` §D on why a
 * format of our own. It shares nothing with the configuration's session but the way out, and neither waits for the other.
 */
import { Context, Effect, Layer, MutableRef } from "effect"
import { TelemetryStatus } from "./TelemetryStatus.ts"
import { TrustedClock } from "./TrustedClock.ts"

export class TelemetryDelivery extends Context.Service<
  TelemetryDelivery,
  {
    /** Runs until interrupted. An interruption is not waited for: what was not acknowledged is delivered another time. */
    readonly run: Effect.Effect<never>
  }
>()("holdfast/services/TelemetryDelivery") {
  /** For a node that has nobody to deliver to. */
  static readonly layerLocal = (
    reason: string
  ): Layer.Layer<TelemetryDelivery, never, TelemetryStatus | TrustedClock> =>
    Layer.effect(
      TelemetryDelivery,
      Effect.gen(function* () {
        const { delivery } = yield* TelemetryStatus
        MutableRef.set(delivery, { _tag: "local", reason, sinceMs: yield* (yield* TrustedClock).nowMs })
        return { run: Effect.never }
      })
    )
}
