/**
 * The content of `config.json.gz`: the config table, with its provenance inside under `_holdfast`. A file without
 * provenance, as Kong 2.x wrote and as a person makes with `jq`, is as good (reference `resilience.md` §2).
 */
import { createHash } from "node:crypto"
import { hashTable } from "./ConfigHash.ts"
import { provenanceKey } from "./ConfigTable.ts"
import { isRecord, type Row } from "./Entity.ts"
import type { Snapshot } from "./Snapshot.ts"

export interface Provenance {
  /** What the control plane called this configuration. */
  readonly hash: string
  /**
   * SHA-256 of the table's JSON: when it no longer fits, a person has changed the file, and `hash` means nothing. The
   * wire's own hash takes 80 for "80" and would miss such an edit.
   */
  readonly table_hash: string
  readonly received_at_ms: number
}

const contentHash = (raw: Row): string => createHash("sha256").update(JSON.stringify(raw)).digest("hex")

export const encodeCachedTable = (snapshot: Snapshot): string => {
  const { [provenanceKey]: _, ...raw } = snapshot.raw
  const provenance: Provenance = {
    hash: snapshot.hash,
    table_hash: contentHash(raw),
    received_at_ms: snapshot.receivedAtMs
  }
  return JSON.stringify({ ...raw, [provenanceKey]: provenance })
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

const nameOf = (raw: Row, { hash, table_hash }: Provenance): string => {
  const content = contentHash(raw)
  if (content === table_hash) return hash
  const computed = hashTable(raw).config
  // Under the control plane's name the edit would pass for its configuration, and stay.
  return computed === hash ? content.slice(0, hash.length) : computed
}

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
  if (!isProvenance(provenance)) return { raw, hash: hashTable(raw).config, receivedAtMs: undefined }
  return { raw, hash: nameOf(raw, provenance), receivedAtMs: provenance.received_at_ms }
}
