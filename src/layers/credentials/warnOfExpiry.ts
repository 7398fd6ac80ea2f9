/** Says in time that the cluster certificate expires: each warning once for each certificate. */
import { Effect, Stream, SubscriptionRef } from "effect"
import { certificateWarningDays, dueWarning, nextWarningAtMs } from "../../model/ExpiryWarnings.ts"
import type { ClusterCredentials, ClusterIdentity } from "../../services/ClusterIdentity.ts"
import type { TrustedClock } from "../../services/TrustedClock.ts"

const dayMs = 86_400_000
/** The node's idea of now may drift from the timer in the meantime, and no timer is longer than 24 days. */
const longestWaitMs = dayMs

interface Told {
  readonly fingerprint256: string
  readonly warning: number
}

/** Whole days, rounded down: what is said must not be more than there is. */
const daysLeft = (expiresAtMs: number, nowMs: number): number => Math.floor((expiresAtMs - nowMs) / dayMs)

const tell = ({ expiresAtMs }: ClusterCredentials, warning: number, nowMs: number) => {
  const at = new Date(expiresAtMs).toISOString()
  return warning === 0
    ? Effect.logWarning("cluster certificate expired; the peer will refuse it").pipe(
        Effect.annotateLogs({ expired_at: at })
      )
    : Effect.logWarning("cluster certificate expires soon").pipe(
        Effect.annotateLogs({ expires_at: at, days_left: daysLeft(expiresAtMs, nowMs) })
      )
}

/** Never ends. Looks again when the certificate is another one, and when the clock has jumped. */
export const warnOfExpiry = (identity: ClusterIdentity["Service"], clock: TrustedClock["Service"]) => {
  let told: Told | undefined

  const look = Effect.gen(function* () {
    const credentials = yield* SubscriptionRef.get(identity.current)
    const { fingerprint256, expiresAtMs } = credentials
    const nowMs = yield* clock.nowMs
    const warning = dueWarning(certificateWarningDays, expiresAtMs, nowMs)
    const isNews = told?.fingerprint256 !== fingerprint256 || (warning !== undefined && warning < told.warning)
    if (warning !== undefined && isNews) {
      told = { fingerprint256, warning }
      yield* tell(credentials, warning, nowMs)
    }
    const nextAtMs = nextWarningAtMs(certificateWarningDays, expiresAtMs, nowMs) ?? Number.POSITIVE_INFINITY
    yield* Effect.sleep(Math.min(nextAtMs - nowMs, longestWaitMs))
  })

  const reasonsToLook = Stream.merge(SubscriptionRef.changes(identity.current), SubscriptionRef.changes(clock.jumps))
  return reasonsToLook.pipe(
    Stream.switchMap(() => Stream.fromEffect(Effect.forever(look))),
    Stream.runDrain
  )
}
