/** A Clock whose wall time can be moved, and whose timers and monotonic time don't notice: what a machine's clocks are. */
import { Clock, Effect, Layer } from "effect"

export interface Skew {
  wallErrorMs: number
}

/** Over the clock that is there, the TestClock mostly, which stays what `TestClock.adjust` moves. */
export const skewedClock = (skew: Skew): Layer.Layer<never> =>
  Layer.effect(
    Clock.Clock,
    Effect.map(Clock.Clock, (inner): Clock.Clock => {
      const currentTimeMillisUnsafe = () => inner.currentTimeMillisUnsafe() + skew.wallErrorMs
      const currentTimeNanosUnsafe = () => inner.currentTimeNanosUnsafe() + BigInt(skew.wallErrorMs) * 1_000_000n
      return {
        currentTimeMillisUnsafe,
        currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
        currentTimeNanosUnsafe,
        currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
        monotonicTimeNanosUnsafe: () => inner.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: inner.monotonicTimeNanos,
        sleep: (duration) => inner.sleep(duration)
      }
    })
  )
