/**
 * What a look at a source of licences finds, and which of a configuration's licences counts: the one with the newest
 * `updated_at` (reference `resilience.md` §6.1).
 */
import { isRecord, type Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"

export type FoundLicense =
  | { readonly _tag: "Nothing" }
  | {
      readonly _tag: "Text"
      readonly text: string
      /** Of a row of `licenses` that says so. */
      readonly updatedAt?: number
    }
  /** Nothing stands where something was said to stand. */
  | { readonly _tag: "Missing"; readonly faults: ReadonlyArray<Fault> }
  /** Something stands there that can't be read at all. No value is shown. */
  | { readonly _tag: "Unreadable"; readonly faults: ReadonlyArray<Fault> }

const nothing: FoundLicense = { _tag: "Nothing" }

const stampOf = (row: Row, field: "updated_at" | "created_at"): number => {
  const value = row[field]
  return typeof value === "number" && Number.isFinite(value) ? value : Number.NEGATIVE_INFINITY
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "")

/** Stamps are whole seconds: what two rows share is told apart, so that every node takes the same one. */
const isNewer = (one: Row, other: Row): boolean => {
  for (const field of ["updated_at", "created_at"] as const) {
    const [a, b] = [stampOf(one, field), stampOf(other, field)]
    if (a !== b) return a > b
  }
  return textOf(one.id) > textOf(other.id)
}

/**
 * Of the section `licenses` as it was received. An older licence never stands in for a newer one that is malformed:
 * it may have expired long ago.
 */
export const newestLicense = (section: unknown): FoundLicense => {
  const unreadable = (path: ReadonlyArray<string | number>, message: string): FoundLicense => ({
    _tag: "Unreadable",
    faults: [{ path: ["licenses", ...path], message }]
  })
  if (section === undefined || section === null || (isRecord(section) && Object.keys(section).length === 0))
    return nothing
  if (!Array.isArray(section)) return unreadable([], "expected an array of licenses")
  const rows = section.map((row: unknown): Row => (isRecord(row) ? row : {}))
  if (rows.length === 0) return nothing
  const newest = rows.reduce((best, row) => (isNewer(row, best) ? row : best))
  if (typeof newest.payload !== "string")
    return unreadable([rows.indexOf(newest), "payload"], "expected a licence as text")
  const updatedAt = stampOf(newest, "updated_at")
  return { _tag: "Text", text: newest.payload, ...(Number.isFinite(updatedAt) ? { updatedAt } : {}) }
}
