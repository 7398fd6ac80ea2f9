/**
 * The content of `config.json.gz`: the config table, with its provenance inside under `_holdfast`. A file without
 * provenance, as Kong 2.x wrote and as a person makes with `jq`, is as good (reference `resilience.md` §2).
 */
import { hashTable } from "./ConfigHash.ts"
import { provenanceKey } from "./ConfigTable.ts"
import { isRecord, type Row } from "./Entity.ts"
import type { Snapshot } from "./Snapshot.ts"

export interface Provenance {
  /** What the control plane called this configuration. */
  readonly hash: string
  /** What we compute of the table: when it no longer fits, a person has changed the file, and `hash` means nothing. */
  readonly table_hash: string
  readonly received_at_ms: number
}

export const encodeCachedTable = (snapshot: Snapshot): string => {
  const provenance: Provenance = {
    hash: snapshot.hash,
    table_hash: hashTable(snapshot.raw).config,
    received_at_ms: snapshot.receivedAtMs
  }
  return JSON.stringify({ ...snapshot.raw, [provenanceKey]: provenance })
}

export interface CachedTable {
  readonly raw: Row
  readonly hash: string
  readonly receivedAtMs: number | undefined
}

const isProvenance = (value: unknown): value is Provenance =>
  isRecord(value) &&
  typeof value.hash === "string" &&
  value.hash.length === 32 &&
  typeof value.table_hash === "string" &&
  typeof value.received_at_ms === "number"

/** `undefined` when the text is no JSON object. */
export const decodeCachedTable = (text: string): CachedTable | undefined => {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(parsed)) return undefined
  const { [provenanceKey]: provenance, ...raw } = parsed
  const computed = hashTable(raw).config
  return isProvenance(provenance)
    ? {
        raw,
        hash: provenance.table_hash === computed ? provenance.hash : computed,
        receivedAtMs: provenance.received_at_ms
      }
    : { raw, hash: computed, receivedAtMs: undefined }
}
