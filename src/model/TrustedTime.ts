/**
 * What time it is for a node: the last trusted wall time and the monotonic time that has passed since. A wall clock that
 * differs is doubted, and believed when it has been one and the same clock for ten minutes or a control plane confirms it:
 *
 *   agrees ──differs by more than 2 s──▶ doubted ──10 minutes of agreement with itself, a control plane──▶ agrees, corrected
 *      ▲                                    │ ▲ │
 *      └──────────differs no more───────────┘ └─┘ differs otherwise: the minutes begin anew
 *
 * Invariants: between corrections the trusted time never goes back and keeps within a tenth of the monotonic clock's pace;
 * nothing but a correction moves it further. A correction makes it the wall clock's, or brings it nearer. Pure: whoever
 * owns the clocks reads both and calls `step` at least once a minute.
 */

import type { KeptTime } from "./KeptTime.ts"

export interface Reading {
  readonly wallMs: number
  /** From any origin, the same one for all readings of a process. */
  readonly monotonicMs: number
}

/** A wall clock that is not believed yet. */
export interface Doubt {
  /** By the trusted time. */
  readonly sinceMs: number
  /** How far it was off when it was seen first: positive when it is ahead. */
  readonly byMs: number
  /** Wall minus monotonic: stays the same as long as it is one and the same clock. */
  readonly offsetMs: number
  /** How long that was seen, over restarts. */
  readonly agreedMs: number
}

export interface Correction {
  /** By the trusted time after it. */
  readonly atMs: number
  readonly byMs: number
  readonly because: "agreement" | "control plane"
}

export interface TrustedTime {
  readonly nowMs: number
  readonly monotonicMs: number
  /** Wall minus trusted. */
  readonly deviationMs: number
  readonly doubt: Doubt | undefined
  readonly lastCorrection: Correction | undefined
}

/** What a reading changed, told once. */
export type Happening =
  | { readonly _tag: "Doubted"; readonly byMs: number }
  | { readonly _tag: "Returned"; readonly byMs: number; readonly afterMs: number }
  | ({ readonly _tag: "Believed" } & Correction)

export interface Step {
  readonly time: TrustedTime
  readonly happened: Happening | undefined
}

/** A wall clock that has been one and the same clock for so long is believed. */
export const agreementMs = 10 * 60_000

/** Within this the wall clock is followed, not doubted: NTP steps that far without a second thought. */
export const toleranceMs = 2_000

/** A followed clock moves the trusted time by a tenth of the time that passes: daemons that slew in haste do a twelfth. */
const followRatio = 0.1

/** What nobody looked at for longer counts for no longer: a process that was stopped has seen nothing meanwhile. */
const creditMaxMs = 60_000

/** A node that finds the clock at most this far ahead was off meanwhile. */
const plausiblePauseMs = agreementMs

/** How old a control plane's fresh timestamp may be: pushed, received, and two clocks that are nearly right. */
export const freshMs = 60_000

const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value))

const unchanged = (time: TrustedTime): Step => ({ time, happened: undefined })

const believe = (time: TrustedTime, toMs: number, wallMs: number, because: Correction["because"]): Step => {
  const correction = { atMs: toMs, byMs: toMs - time.nowMs, because }
  const deviationMs = wallMs - toMs
  // Brought nearer, it may still be off: then the doubt goes on as it was.
  const doubt = Math.abs(deviationMs) > toleranceMs ? time.doubt : undefined
  return {
    time: { ...time, nowMs: toMs, deviationMs, doubt, lastCorrection: correction },
    happened: { _tag: "Believed", ...correction }
  }
}

const agree = (time: TrustedTime, elapsedMs: number): Step => {
  const movedMs = clamp(time.deviationMs, elapsedMs * followRatio)
  const { doubt } = time
  return {
    time: { ...time, nowMs: time.nowMs + movedMs, deviationMs: time.deviationMs - movedMs, doubt: undefined },
    happened:
      doubt === undefined ? undefined : { _tag: "Returned", byMs: doubt.byMs, afterMs: time.nowMs - doubt.sinceMs }
  }
}

const becomeDoubted = (time: TrustedTime, offsetMs: number, agreedMs: number): Step => {
  const { nowMs: sinceMs, deviationMs: byMs } = time
  return {
    time: { ...time, doubt: { sinceMs, byMs, offsetMs, agreedMs } },
    happened: { _tag: "Doubted", byMs }
  }
}

const stayDoubted = (time: TrustedTime, doubt: Doubt, elapsedMs: number, wallMs: number): Step => {
  const shiftMs = wallMs - time.monotonicMs - doubt.offsetMs
  if (Math.abs(shiftMs) > toleranceMs) return becomeDoubted(time, wallMs - time.monotonicMs, 0)
  const agreedMs = doubt.agreedMs + Math.min(elapsedMs, creditMaxMs)
  if (agreedMs >= agreementMs) return believe(time, wallMs, wallMs, "agreement")
  const offsetMs = doubt.offsetMs + clamp(shiftMs, elapsedMs * followRatio)
  return unchanged({ ...time, doubt: { ...doubt, offsetMs, agreedMs } })
}

/** The trusted time at a reading. */
export const step = (before: TrustedTime, { wallMs, monotonicMs }: Reading): Step => {
  const elapsedMs = Math.max(0, monotonicMs - before.monotonicMs)
  const nowMs = before.nowMs + elapsedMs
  const time = { ...before, nowMs, monotonicMs, deviationMs: wallMs - nowMs }
  if (Math.abs(time.deviationMs) <= toleranceMs) return agree(time, elapsedMs)
  return time.doubt === undefined
    ? becomeDoubted(time, wallMs - monotonicMs, 0)
    : stayDoubted(time, time.doubt, elapsedMs, wallMs)
}

/**
 * A control plane wrote this timestamp into a configuration that came just now. It may have kept the configuration for
 * days, so the timestamp says "not earlier than this" and no more; and its clock may be wrong as well, so that it moves
 * nothing alone: two of the three must agree against the third.
 *
 * The wall clock is ahead and the timestamp later than the trusted time: both say that the trusted time is behind. It
 * becomes the wall clock's if the timestamp is fresh by that, else the earlier of the two. The wall clock is behind: only a
 * timestamp that is fresh by it and too old for the trusted time counts, for that an old one looks fresh to a clock that
 * was set back takes a configuration whose age is, to the minute, what the clock was set back by.
 */
export const confirm = (before: TrustedTime, reading: Reading, controlPlaneMs: number): Step => {
  const stepped = step(before, reading)
  const { time } = stepped
  const { wallMs } = reading
  if (time.doubt === undefined) return stepped
  if (wallMs > time.nowMs) {
    if (controlPlaneMs <= time.nowMs + toleranceMs) return stepped
    return believe(time, controlPlaneMs >= wallMs - freshMs ? wallMs : controlPlaneMs, wallMs, "control plane")
  }
  const isFresh = Math.abs(wallMs - controlPlaneMs) <= freshMs && time.nowMs - controlPlaneMs > freshMs
  return isFresh ? believe(time, wallMs, wallMs, "control plane") : stepped
}

export const keptOf = ({ nowMs, deviationMs, doubt }: TrustedTime): KeptTime => ({
  trustedMs: Math.floor(nowMs),
  ...(doubt === undefined
    ? {}
    : { doubt: { wallMs: Math.floor(nowMs + deviationMs), agreedMs: Math.floor(doubt.agreedMs) } })
})

/**
 * At a start. Without anything kept the wall clock is believed: there is nothing else. What was kept is the earliest that
 * it can be; a clock a few minutes ahead tells how long the node was off, one further ahead or behind is doubted. A clock
 * that was doubted before and has not gone back since counts as the same one, so that a node that never lives for ten
 * minutes gets there too.
 */
export const begin = (kept: KeptTime | undefined, { wallMs, monotonicMs }: Reading): Step => {
  const at = (nowMs: number): TrustedTime => {
    const deviationMs = wallMs - nowMs
    return { nowMs, monotonicMs, deviationMs, doubt: undefined, lastCorrection: undefined }
  }
  if (kept === undefined) return unchanged(at(wallMs))
  const aheadMs = wallMs - kept.trustedMs
  if (aheadMs >= -toleranceMs && aheadMs <= plausiblePauseMs) return unchanged(at(Math.max(wallMs, kept.trustedMs)))
  const isSame = kept.doubt !== undefined && wallMs >= kept.doubt.wallMs - toleranceMs
  return becomeDoubted(at(kept.trustedMs), wallMs - monotonicMs, isSame ? kept.doubt.agreedMs : 0)
}
