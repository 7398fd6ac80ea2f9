/** From the stored rows to the config table of a push: reference `hybrid-protocol-v1.md` §8.8, `config-model.md` §1. */
import { formatVersion } from "./ConfigTable.ts"
import { entities } from "./Entities.ts"
import type { Entity, Row } from "./Entity.ts"
import { isExpired } from "./Ttl.ts"

/** The rows of every kind; references are bare ids. */
export type StoredRows = ReadonlyMap<string, ReadonlyArray<Row>>

const isEnabled = (row: Row): boolean => row.enabled !== false

/** Rows left out because their time is over, or because they, or what they refer to, are disabled. Parents come first, so one pass is enough. */
const servedRows = (stored: StoredRows, nowMs: number): ReadonlyArray<readonly [Entity, ReadonlyArray<Row>]> => {
  const omitted = new Map<string, Set<unknown>>()
  return entities.map((entity) => {
    const gone = new Set<unknown>()
    omitted.set(entity.name, gone)
    const kept = (stored.get(entity.name) ?? []).filter((row) => {
      const isGone =
        !isEnabled(row) ||
        isExpired(row, nowMs) ||
        entity.references.some(({ field, to }) => omitted.get(to)?.has(row[field]) === true)
      if (isGone) gone.add(row[entity.primaryKey])
      return !isGone
    })
    return [entity, kept] as const
  })
}

/**
 * The whole configuration, sections in the order in which they may be written. Unset fields stay `null`, for an
 * open-source control plane hashes them too. The workspace of a row is left out: there is one.
 */
export const exportTable = (stored: StoredRows, nowMs: number): Row => ({
  _format_version: formatVersion,
  _transform: false,
  ...Object.fromEntries(
    servedRows(stored, nowMs)
      .filter(([, rows]) => rows.length > 0)
      .map(([entity, rows]) => [entity.name, rows.map(({ ws_id: _, ...row }) => row)])
  )
})
