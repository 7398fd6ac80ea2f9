/** When it is time to say that something ends: on certain days before its end, and when it has ended. */

const dayMs = 86_400_000

/** Days before the end, the most urgent last; 0 is the end itself. */
export const certificateWarningDays = [30, 7, 1, 0] as const
/** The first of them begins `expiring`. */
export const licenseWarningDays = [90, 30, 16, 7, 1, 0] as const

/** The most urgent warning that is due; `undefined` while there is time. */
export const dueWarning = <D extends number>(
  warningDays: ReadonlyArray<D>,
  expiresAtMs: number,
  nowMs: number
): D | undefined => warningDays.findLast((days) => nowMs >= expiresAtMs - days * dayMs)

/** When a more urgent one is due; `undefined` when none comes any more. */
export const nextWarningAtMs = (
  warningDays: ReadonlyArray<number>,
  expiresAtMs: number,
  nowMs: number
): number | undefined => warningDays.map((days) => expiresAtMs - days * dayMs).find((atMs) => atMs > nowMs)
