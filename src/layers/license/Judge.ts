/**
 * From what the sources hold to what the node does: the first licence decides. Order of a judgement: the request path's
 * field, then the state, then the log.
 */
import { Effect, Equal, MutableRef, SubscriptionRef } from "effect"
import { licenseWarningDays, nextWarningAtMs } from "../../model/ExpiryWarnings.ts"
import { type GatewayError, licenseExpired } from "../../model/GatewayError.ts"
import { type LicenseFinding, type LicensePolicy, standingOf } from "../../model/LicenseStanding.ts"
import { unlicensed } from "../../services/LicenseGuard.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import type { Holder } from "./Holder.ts"
import { type Decided, makeTeller } from "./tell.ts"

/** A machine that slept has timers that slept as well. */
const longestWaitMs = 60_000

const findingOf = (holders: ReadonlyArray<Holder>, decider: Holder | undefined): LicenseFinding => {
  const held = decider?.held()
  if (held !== undefined) return { _tag: "License", ...held }
  return holders.some((holder) => holder.refused()?.isMissing === false) ? { _tag: "Malformed" } : { _tag: "None" }
}

const decide = (holders: ReadonlyArray<Holder>, policy: LicensePolicy, nowMs: number): Decided => {
  const decider = holders.find((holder) => holder.held() !== undefined)
  const standing = standingOf(findingOf(holders, decider), nowMs, policy)
  const refused = holders.flatMap(({ source, refused: refusedBy }) => {
    const found = refusedBy()
    return found === undefined ? [] : [{ source, reasons: found.reasons }]
  })
  return { digest: decider?.held()?.license.digest, report: { ...standing, source: decider?.source, refused } }
}

/** How long until time may change something by itself; `undefined` when it can't. */
const restMs = ({ report: { expiresAtMs, nextChangeAtMs } }: Decided, nowMs: number): number | undefined => {
  if (expiresAtMs === undefined) return undefined
  const instants = [nextChangeAtMs, nextWarningAtMs(licenseWarningDays, expiresAtMs, nowMs)].filter(
    (atMs) => atMs !== undefined
  )
  return Math.max(1, Math.min(longestWaitMs, ...instants.map((atMs) => atMs - nowMs)))
}

export const makeJudge = Effect.fnUntraced(function* (holders: ReadonlyArray<Holder>, policy: LicensePolicy) {
  const health = yield* NodeHealth
  const clock = yield* TrustedClock
  const refusal = MutableRef.make<GatewayError | undefined>(undefined)
  const state = yield* SubscriptionRef.make(unlicensed)
  const tell = makeTeller()
  let decided: Decided = { digest: undefined, report: unlicensed }

  /** Returns for how many milliseconds nothing changes unless there is news. To be run by one fiber at a time. */
  const judge = Effect.gen(function* () {
    const nowMs = yield* clock.nowMs
    const former = decided
    const next = decide(holders, policy, nowMs)
    decided = next
    MutableRef.set(refusal, next.report.stops ? licenseExpired : undefined)
    MutableRef.set(health.license, next.report)
    if (!Equal.equals(former.report, next.report)) yield* SubscriptionRef.set(state, next.report)
    yield* tell(former, next, nowMs)
    return restMs(next, nowMs)
  })
  return { refusal, state, judge }
})
