/**
 * What a config table says, apart from how it is written: one text and one digest for all ways to order its keys and
 * space its JSON. By it a file is known to be whole and untouched, and nodes agree that they hold the same.
 */
import { createHash } from "node:crypto"
import { canonicalJson } from "./CanonicalJson.ts"
import { provenanceKey } from "./ConfigTable.ts"
import type { Row } from "./Entity.ts"

export interface TableContent {
  /** The table as JSON, canonical (RFC 8785), without provenance. */
  readonly text: string
  /** SHA-256 of that text, in hexadecimal. */
  readonly sha256: string
}

export const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex")

export const withoutProvenance = (table: Row): Row => {
  const { [provenanceKey]: _, ...raw } = table
  return raw
}

/**
 * Throws at what is nested deeper than recursion goes. Two things have no canonical form, and a control plane may send them
 * all the same: a number beyond what a double holds, which JSON writes as null and reads back so; and a text that is no
 * Unicode, which JSON carries: a table with one is told by the JSON of its keys as they come.
 */
export const describeTable = (table: Row): TableContent => {
  const raw = withoutProvenance(table)
  const canonical = canonicalJson(raw)
  const text = canonical._tag === "Right" ? canonical.text : asReadBack(JSON.stringify(raw))
  return { text, sha256: sha256(text) }
}

const asReadBack = (json: string): string => {
  const canonical = canonicalJson(JSON.parse(json))
  return canonical._tag === "Right" ? canonical.text : json
}
