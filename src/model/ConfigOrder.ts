/**
 * Which of two configurations is the newer one. Within an epoch the sequence says it; epochs are texts that sort by when
 * they began. Where one of the two has no sequence (another product's control plane sends none), the time counts at which
 * its control plane, or a person, gave it out.
 */
import type { Version } from "./Snapshot.ts"

/** What is known of a configuration's place among the others. */
export interface Standing extends Version {
  /** When it was given out; milliseconds since the epoch, by the clock of whoever gave it out. */
  readonly issuedAtMs?: number | undefined
  /** SHA-256 of its canonical JSON: what is the same is neither older nor newer. */
  readonly sha256?: string | undefined
}

export type Order = "older" | "same" | "newer" | "unknown"

const compare = <A extends string | number>(a: A, b: A): Order => (a === b ? "same" : a < b ? "older" : "newer")

/** What the first is, seen from the second. */
export const orderOf = (a: Standing, b: Standing): Order => {
  if (a.sha256 !== undefined && a.sha256 === b.sha256) return "same"
  if (a.epoch !== undefined && b.epoch !== undefined && a.sequence !== undefined && b.sequence !== undefined)
    return a.epoch === b.epoch ? compare(a.sequence, b.sequence) : compare(a.epoch, b.epoch)
  return a.issuedAtMs === undefined || b.issuedAtMs === undefined ? "unknown" : compare(a.issuedAtMs, b.issuedAtMs)
}

/** A place in the order, in words. */
export const showStanding = ({ epoch, sequence, issuedAtMs }: Standing): string => {
  const issued = issuedAtMs === undefined ? [] : [`of ${new Date(issuedAtMs).toISOString()}`]
  const numbered =
    sequence === undefined ? [] : [`sequence ${sequence}${epoch === undefined ? "" : ` in epoch ${epoch}`}`]
  return [...numbered, ...issued].join(", ") || "of an unknown time"
}
