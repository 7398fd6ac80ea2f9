/**
 * What time the node believes it is: the last trusted wall time and the monotonic time that has passed since. Licences,
 * certificates and ages go by it; timers never do, for they run on the monotonic clock alone.
 */
import { Clock, Context, Effect, Layer, SubscriptionRef } from "effect"

export class TrustedClock extends Context.Service<
  TrustedClock,
  {
    /** Milliseconds since the epoch. */
    readonly nowMs: Effect.Effect<number>
    /** A control plane said what time it was there when it made a message: what agrees with it is believed at once. */
    readonly confirm: (controlPlaneMs: number) => Effect.Effect<void>
    /** Grows with every jump of the wall clock that came to be believed: whoever waits for an instant looks again. */
    readonly jumps: SubscriptionRef.SubscriptionRef<number>
  }
>()("holdfast/services/TrustedClock") {
  /** Believes the wall clock whatever it says. */
  static readonly layerWall = Layer.effect(
    TrustedClock,
    Effect.gen(function* () {
      return {
        nowMs: Clock.currentTimeMillis,
        confirm: () => Effect.void,
        jumps: yield* SubscriptionRef.make(0)
      }
    })
  )
}
