/** What a person must hear of the licence: each change once, each warning day once for each licence. */
import { Effect } from "effect"
import { dueWarning, licenseWarningDays } from "../../model/ExpiryWarnings.ts"
import type { LicenseState } from "../../model/LicenseStanding.ts"
import type { LicenseReport } from "../../services/LicenseGuard.ts"

/** What is known of the licence that decides; the digest tells one licence from another. */
export interface Decided {
  readonly digest: string | undefined
  readonly report: LicenseReport
}

const rank: Readonly<Record<LicenseState, number>> = {
  none: 0,
  malformed: 0,
  valid: 1,
  expiring: 2,
  grace: 3,
  expired: 4
}

const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString())

/** Every line there is, in the order in which they are told, each with the case in which it is. */
const linesOf = (former: Decided, next: Decided, isWarningDue: boolean): ReadonlyArray<Effect.Effect<void>> => {
  const { source, state, stops, expiresAtMs, graceUntilMs, daysLeft, signature } = next.report
  const facts = { source, state, expiresAt: iso(expiresAtMs), daysLeft, signature }
  const isAnother = former.digest !== next.digest
  const isThere = next.digest !== undefined
  const isLater = former.digest !== undefined && (former.report.expiresAtMs ?? 0) < (expiresAtMs ?? 0)
  const isBack = !isAnother && rank[state] < rank[former.report.state]
  const isEntered = isAnother || (state !== former.report.state && !isBack)
  const lines: ReadonlyArray<readonly [isDue: boolean, line: Effect.Effect<void>]> = [
    [
      isAnother && !isThere,
      Effect.logWarning("licence is gone; nothing is restricted").pipe(
        Effect.annotateLogs({ source: former.report.source })
      )
    ],
    [isAnother && isThere && !isLater, Effect.logInfo("licence found").pipe(Effect.annotateLogs(facts))],
    [isAnother && isThere && isLater, Effect.logInfo("licence renewed").pipe(Effect.annotateLogs(facts))],
    [isBack, Effect.logWarning("licence counts again, for the clock was set back").pipe(Effect.annotateLogs(facts))],
    [
      isEntered && state === "grace",
      Effect.logWarning("licence expired; it counts on for its days of grace").pipe(
        Effect.annotateLogs({ ...facts, graceUntil: iso(graceUntilMs) })
      )
    ],
    [
      isEntered && state === "expired" && stops,
      Effect.logError("licence expired; every request is answered 503").pipe(Effect.annotateLogs(facts))
    ],
    [
      isEntered && state === "expired" && !stops,
      Effect.logError("licence expired; serving goes on, for license_on_expiry is warn").pipe(
        Effect.annotateLogs(facts)
      )
    ],
    [former.report.stops && !stops, Effect.logInfo("requests are served again")],
    [isWarningDue, Effect.logWarning("licence expires soon").pipe(Effect.annotateLogs(facts))]
  ]
  return lines.filter(([isDue]) => isDue).map(([, line]) => line)
}

export const makeTeller = () => {
  /** The nearest day of warning that was told, by licence. */
  const warned = new Map<string, number>()

  const noteWarning = ({ digest, report }: Decided, nowMs: number): boolean => {
    const { expiresAtMs } = report
    const days = expiresAtMs === undefined ? undefined : dueWarning(licenseWarningDays, expiresAtMs, nowMs)
    // Its end is told by what it does.
    if (digest === undefined || days === undefined || days === 0) return false
    if (days >= (warned.get(digest) ?? Number.POSITIVE_INFINITY)) return false
    warned.set(digest, days)
    return true
  }

  return (former: Decided, next: Decided, nowMs: number): Effect.Effect<void> =>
    Effect.all(linesOf(former, next, noteWarning(next, nowMs)), { discard: true })
}
