/** When it is time to say that a certificate expires: 30, 7 and 1 days before, and when it has. */

const dayMs = 86_400_000

/** Days before the end, the most urgent last; 0 is the end itself. */
const warningDays = [30, 7, 1, 0] as const

export type ExpiryWarning = (typeof warningDays)[number]

/** The most urgent warning that is due; `undefined` while there is time. */
export const dueWarning = (expiresAtMs: number, nowMs: number): ExpiryWarning | undefined =>
  warningDays.findLast((days) => nowMs >= expiresAtMs - days * dayMs)

/** How long until a more urgent one is due; `undefined` when none comes any more. */
export const untilNextWarningMs = (expiresAtMs: number, nowMs: number): number | undefined => {
  const next = warningDays.find((days) => nowMs < expiresAtMs - days * dayMs)
  return next === undefined ? undefined : expiresAtMs - next * dayMs - nowMs
}

/** Whole days, rounded down: what is said must not be more than there is. */
export const daysLeft = (expiresAtMs: number, nowMs: number): number =>
  Math.max(0, Math.floor((expiresAtMs - nowMs) / dayMs))
