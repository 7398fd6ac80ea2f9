/**
 * What time the node believes it is: the last trusted wall time and the monotonic time that has passed since. Licences,
 * certificates and ages go by it; timers never do, for they run on the monotonic clock alone.
 */
import { Clock, Context, Effect, Layer, SubscriptionRef } from "effect"
import { agreementMs, type Correction, type TrustedTime } from "../model/TrustedTime.ts"

/** How the trusted time and the wall clock stand to each other, for the status. */
export interface TrustedClockFacts {
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  /** Wall minus trusted. */
  readonly deviationMs: number
  /** The wall clock is not believed: since when by the trusted time, and after how much more agreement it will be. */
  readonly doubt: { readonly sinceMs: number; readonly believedInMs: number } | undefined
  readonly lastCorrection: Correction | undefined
}

export class TrustedClock extends Context.Service<
  TrustedClock,
  {
    /** Milliseconds since the epoch, whole. Goes back only with a correction, which `jumps` tells of. */
    readonly nowMs: Effect.Effect<number>
    /**
     * A control plane said what time it was there when it made a message that came just now. What that proves and what it
     * does not: `model/TrustedTime.ts`, `confirm`. To be called for each configuration that arrives.
     */
    readonly confirm: (controlPlaneMs: number) => Effect.Effect<void>
    /** Grows with every jump of the wall clock that came to be believed: whoever waits for an instant looks again. */
    readonly jumps: SubscriptionRef.SubscriptionRef<number>
    readonly facts: Effect.Effect<TrustedClockFacts>
  }
>()("holdfast/services/TrustedClock") {
  /** Believes the wall clock whatever it says. */
  static readonly layerWall = Layer.effect(
    TrustedClock,
    Effect.gen(function* () {
      const facts = (nowMs: number) => ({ nowMs, deviationMs: 0, doubt: undefined, lastCorrection: undefined })
      return {
        nowMs: Clock.currentTimeMillis,
        confirm: () => Effect.void,
        jumps: yield* SubscriptionRef.make(0),
        facts: Effect.map(Clock.currentTimeMillis, facts)
      }
    })
  )
}

export const factsOf = ({ nowMs, deviationMs, doubt, lastCorrection }: TrustedTime): TrustedClockFacts => ({
  nowMs: Math.floor(nowMs),
  deviationMs: Math.round(deviationMs),
  doubt:
    doubt === undefined
      ? undefined
      : { sinceMs: Math.floor(doubt.sinceMs), believedInMs: Math.ceil(agreementMs - doubt.agreedMs) },
  lastCorrection
})

const seconds = (ms: number): number => Math.round(ms / 100) / 10

const iso = (ms: number): string => new Date(ms).toISOString()

/** The part `clock` of `GET /status`. */
export const clockStatus = ({ nowMs, deviationMs, doubt, lastCorrection }: TrustedClockFacts) => ({
  trusted_now: iso(nowMs),
  /** How far the machine's clock is ahead of it. */
  deviation_seconds: seconds(deviationMs),
  state: doubt === undefined ? "trusted" : "doubted",
  ...(doubt === undefined
    ? {}
    : { doubted_since: iso(doubt.sinceMs), believed_in_seconds: Math.max(0, seconds(doubt.believedInMs)) }),
  last_correction:
    lastCorrection === undefined
      ? null
      : { at: iso(lastCorrection.atMs), by_seconds: seconds(lastCorrection.byMs), because: lastCorrection.because }
})
