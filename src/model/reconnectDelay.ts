/** Numbers of the wait between two attempts, in milliseconds. */

const backoffFirstCeilingMs = 10_000

/** Of the attempt with this number, counted from 0: doubled each time, no more than the cap. */
export const backoffCeilingMs = (attempt: number, capMs: number): number =>
  Math.min(capMs, backoffFirstCeilingMs * 2 ** Math.min(attempt, 40))

/** Spreads those that were told the same `Retry-After`. */
export const retryAfterJitterMs = 5_000

/**
 * A control plane that said when to come back is not asked before: at least as long as it said, as far as the cap
 * allows, and jitter on top (`share`, in [0, 1)), for it says the same to many. Never sooner than the policy wants.
 */
export const reconnectDelayMs = (
  policyMs: number,
  {
    retryAfterMs,
    capMs,
    share
  }: { readonly retryAfterMs: number | undefined; readonly capMs: number; readonly share: number }
): number =>
  retryAfterMs === undefined ? policyMs : Math.max(policyMs, Math.min(retryAfterMs, capMs) + share * retryAfterJitterMs)
