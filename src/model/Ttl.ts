/**
 * Rows that are there for a time (reference `config-model.md` §3). `ttl` is written as seconds from now on; a control plane
 * keeps and sends the moment itself, in seconds since the epoch, as Kong's do since 3.5, and shows what is left of it. The
 * two can't be taken for each other: Kong allows no more than 100 000 000 seconds, and that moment was in 1973. A declarative
 * file may have either, the former counted from `created_at`.
 */
import type { Entity, Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"

export const ttlMaxSeconds = 100_000_000

/** Seconds since the epoch; `undefined` for a row that stays, and 0 for one that has no beginning to count from. */
export const expiresAt = ({ ttl, created_at }: Row): number | undefined => {
  if (typeof ttl !== "number") return undefined
  if (ttl > ttlMaxSeconds) return ttl
  return typeof created_at === "number" ? created_at + ttl : 0
}

/**
 * True when the row's time is over. Asked at the moment at which the row would be used, for a table is served long after
 * it was made. Of a row without beginning nobody can say that it still counts.
 */
export const isExpired = (row: Row, nowMs: number): boolean => {
  const end = expiresAt(row)
  return end !== undefined && end * 1000 <= nowMs
}

/** As a control plane keeps it and sends it. */
export const withMomentOfExpiry = (row: Row): Row => {
  const end = expiresAt(row)
  return end === undefined ? row : { ...row, ttl: Math.floor(end) }
}

/** For a row that is written by itself: its time begins now, however old it is. */
export const expiringFrom = (row: Row, nowMs: number): Row => {
  const end = expiresAt({ ttl: row.ttl, created_at: nowMs / 1000 })
  return end === undefined ? row : { ...row, ttl: Math.floor(end) }
}

/** Kinds of rows that end by themselves. */
export const hasTtl = ({ fields }: Pick<Entity, "fields">): boolean => Object.hasOwn(fields, "ttl")

/** What is wrong with what a writer of a single row asks for: seconds alone, and no more than Kong allows. */
export const askedTtlFaults = (entity: Entity, { ttl }: Row): ReadonlyArray<Fault> =>
  hasTtl(entity) && typeof ttl === "number" && ttl > ttlMaxSeconds
    ? [{ path: ["ttl"], message: `expected an integer between 0 and ${ttlMaxSeconds}`, value: ttl }]
    : []

/** A writer of a single row says 0 for one that stays (Kong's documentation of key-auth). */
export const withoutZeroTtl = (entity: Entity, row: Row): Row =>
  hasTtl(entity) && row.ttl === 0 ? { ...row, ttl: null } : row

/** As the admin API shows it: the seconds that are left, rounded up, for 0 means another thing in a write. */
export const withSecondsLeft = (row: Row, nowMs: number): Row => {
  const end = expiresAt(row)
  return end === undefined ? row : { ...row, ttl: Math.max(0, Math.ceil(end - nowMs / 1000)) }
}
