/** The clock that timers and durations go by: nobody can set it. */
import { Clock, Effect } from "effect"

const nanosPerMilli = 1_000_000

/** Milliseconds since some moment, with fractions. Only differences mean anything. */
export const monotonicMs: Effect.Effect<number> = Effect.map(
  Clock.monotonicTimeNanos,
  (nanos) => Number(nanos) / nanosPerMilli
)
