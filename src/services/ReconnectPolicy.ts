/**
 * How long to wait before the next attempt, as a schedule: its input is why there is no session, its delay is the wait.
 * It is stepped once for each failed dial and each ended session, started fresh after each session that was live, and
 * when it runs out its last delay is kept, so that "for ever" holds (`konnect-network-resiliency.md`, "How long can data
 * plane nodes remain disconnected from the control plane?").
 */
import { Context, Duration, Effect, Layer, Random, Schedule } from "effect"
import { backoffCeilingMs } from "../model/reconnectDelay.ts"
import type { SessionEnd } from "./ClusterDialer.ts"
import { Settings } from "./Settings.ts"

export type ReconnectSchedule = Schedule.Schedule<Duration.Duration, SessionEnd>

export const reconnectDelayMinMs = 5_000
export const reconnectDelayMaxMs = 10_000

/** Fine enough for any timer, and coarse enough that neither rounding nor waking a little late reaches the upper end. */
const grainMicros = 10

const uniform = (fromMs: number, toMs: number): Effect.Effect<Duration.Duration> =>
  Effect.map(Random.next, (share) => {
    const grains = Math.floor(((fromMs + share * (toMs - fromMs)) * 1_000) / grainMicros)
    return Duration.micros(BigInt(grains * grainMicros))
  })

const fromDelays = (delayOf: (attempt: number) => Effect.Effect<Duration.Duration>): ReconnectSchedule =>
  Schedule.fromStep(
    Effect.sync(() => {
      let attempt = 0
      return () =>
        Effect.map(
          Effect.suspend(() => delayOf(attempt++)),
          (delay) => [delay, delay] as const
        )
    })
  ) as ReconnectSchedule

/**
 * Uniform and real-valued in [5, 10) s, drawn anew for each attempt: the documented contract, with the integers of
 * `hybrid-protocol-v1.md` §6.1 smoothed so that a fleet doesn't return in six waves.
 */
export const kong: ReconnectSchedule = fromDelays(() => uniform(reconnectDelayMinMs, reconnectDelayMaxMs))

/** Full jitter: uniform in [0, ceiling), where the ceiling doubles with each attempt from 10 s up to `capMs`. */
export const backoff = (capMs: number): ReconnectSchedule =>
  fromDelays((attempt) => uniform(0, backoffCeilingMs(attempt, capMs)))

export class ReconnectPolicy extends Context.Service<
  ReconnectPolicy,
  {
    readonly schedule: ReconnectSchedule
    /** The longest that a control plane may tell a node to stay away, in milliseconds. */
    readonly retryAfterMaxMs: number
  }
>()("holdfast/services/ReconnectPolicy") {
  /** The policy that the settings name. */
  static readonly layer = Layer.effect(
    ReconnectPolicy,
    Effect.gen(function* () {
      const settings = yield* Settings
      return {
        schedule:
          settings.cluster_reconnect_policy === "kong" ? kong : backoff(settings.cluster_reconnect_backoff_max * 1_000),
        retryAfterMaxMs: settings.cluster_retry_after_max * 1_000
      }
    })
  )
}
