/**
 * `<prefix>/newest.kept`: the place in the order of the newest configuration that was believed, so that nothing older is
 * believed after a restart. It holds no configuration and no secret. Whoever may write here may take it away: what that
 * opens is told in `docs/signed-configurations.md`.
 */
import { timingSafeEqual } from "node:crypto"
import { join } from "node:path"
import { Effect } from "effect"
import { canonicalJson } from "../../model/CanonicalJson.ts"
import type { Standing } from "../../model/ConfigOrder.ts"
import { macOf, readRollbackOver, type SealKey, standingRow } from "../../model/ConfigStatement.ts"
import { isRecord, parseRecord, type Row } from "../../model/Entity.ts"
import { type Disk, replaceFile } from "../../services/Disk.ts"

export const newestFile = (prefix: string): string => join(prefix, "newest.kept")

const fileMaxBytes = 64 * 1024
const ownerOnly = 0o600

const standingOf = ({ epoch, sequence, issued_at, sha256, rollback_over }: Row): Standing => {
  const rollbackOver = readRollbackOver(rollback_over)
  const issuedAtMs = typeof issued_at === "string" ? Date.parse(issued_at) : Number.NaN
  return {
    ...(typeof epoch === "string" ? { epoch } : {}),
    ...(typeof sequence === "number" ? { sequence } : {}),
    ...(Number.isNaN(issuedAtMs) ? {} : { issuedAtMs }),
    ...(typeof sha256 === "string" ? { sha256 } : {}),
    ...(rollbackOver === undefined ? {} : { rollbackOver })
  }
}

const macText = (row: Row): Uint8Array => {
  const canonical = canonicalJson({ ...row, purpose: "holdfast newest configuration, v1" })
  return new TextEncoder().encode(canonical._tag === "Right" ? canonical.text : "")
}

/** Without a key nobody could have sealed it; with one, only what it sealed counts. */
const isGenuine = (row: Row, seal: unknown, keys: ReadonlyArray<SealKey>): boolean => {
  if (keys.length === 0) return true
  if (!isRecord(seal) || typeof seal.signature !== "string") return false
  const key = keys.find(({ name }) => name === seal.by)
  const given = Buffer.from(seal.signature, "hex")
  const expected = key === undefined ? undefined : macOf(key, macText(row))
  return expected !== undefined && expected.length === given.length && timingSafeEqual(expected, given)
}

export type KeptNewest =
  | { readonly _tag: "Known"; readonly standing: Standing }
  | { readonly _tag: "None" }
  /** It is there and says nothing that could be believed. */
  | { readonly _tag: "Unusable"; readonly reason: string }
  /** Nobody knows what it says: the disk says no. */
  | { readonly _tag: "Unreadable"; readonly reason: string }

export const readNewest = (
  disk: Disk["Service"],
  prefix: string,
  keys: ReadonlyArray<SealKey>
): Effect.Effect<KeptNewest> =>
  Effect.match(disk.read(newestFile(prefix), fileMaxBytes), {
    onSuccess: ({ bytes }): KeptNewest => {
      const parsed = parseRecord(new TextDecoder().decode(bytes))
      if (parsed === undefined) return { _tag: "Unusable", reason: "expected JSON" }
      const { seal, ...row } = parsed
      if (!isGenuine(row, seal, keys)) return { _tag: "Unusable", reason: "expected this node's seal" }
      return { _tag: "Known", standing: standingOf(row) }
    },
    onFailure: ({ code, message }): KeptNewest =>
      code === "ENOENT" ? { _tag: "None" } : { _tag: "Unreadable", reason: message }
  })

export const writeNewest = (disk: Disk["Service"], prefix: string, standing: Standing, key: SealKey | undefined) => {
  const row = standingRow(standing)
  const seal = key === undefined ? {} : { seal: { by: key.name, signature: macOf(key, macText(row)).toString("hex") } }
  const bytes = new TextEncoder().encode(`${JSON.stringify({ ...row, ...seal })}\n`)
  return replaceFile(disk, { path: newestFile(prefix), bytes, mode: ownerOnly })
}
