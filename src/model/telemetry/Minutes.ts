/** Where in time a control plane counts what a window of a node's brought: by the minute in which the window began. */

export const minuteMs = 60_000
const dayMs = 86_400_000

export const minuteOf = (ms: number): number => Math.floor(ms / minuteMs)

/**
 * A node's clock may be wrong, and what it counted happened all the same. A window that begins after now, or before what is
 * kept, counts as of its arrival: so it is in every sum, and is not purged the moment it came.
 */
export const countedMinute = (
  fromMs: number,
  { nowMs, keptDays }: { readonly nowMs: number; readonly keptDays: number }
): number => minuteOf(fromMs > nowMs || fromMs < nowMs - keptDays * dayMs ? nowMs : fromMs)

/** The first minute that is kept. */
export const firstKeptMinute = (nowMs: number, keptDays: number): number => minuteOf(nowMs - keptDays * dayMs)
