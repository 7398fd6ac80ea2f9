/**
 * The newest licence that a configuration handed out, as it is kept apart from the configurations: an older one of them
 * may serve again one day, and its licence may have expired long ago (`docs/licences.md`, "Kept apart"). A small JSON file.
 */
import { parseRecord } from "./Entity.ts"
import type { FoundLicense } from "./FoundLicense.ts"

export interface KeptLicense {
  /** The row's `updated_at`; of one that was taken away, that of the last one before. */
  readonly updatedAt: number | undefined
  /** `undefined` once the control plane has taken it away. */
  readonly text: string | undefined
}

type FoundText = Extract<FoundLicense, { readonly _tag: "Text" }>

const format = 1

export const encodeKeptLicense = ({ updatedAt, text }: KeptLicense): string =>
  `${JSON.stringify({ format, updated_at: updatedAt ?? null, payload: text ?? null })}\n`

/** `undefined` when it is none: cut off, damaged, somebody else's file or another version's. */
export const decodeKeptLicense = (text: string): KeptLicense | undefined => {
  const value = parseRecord(text)
  if (value?.format !== format) return undefined
  const { updated_at: updatedAt, payload } = value
  if (typeof updatedAt !== "number" && updatedAt !== null) return undefined
  if (typeof payload !== "string" && payload !== null) return undefined
  return { updatedAt: updatedAt ?? undefined, text: payload ?? undefined }
}

/**
 * Whether what is kept counts in place of what an older configuration may have. Only what both say of themselves decides:
 * a licence without `updated_at` was written by a person, and counts where it stands.
 */
export const outweighs = ({ updatedAt, text }: KeptLicense, found: FoundText): boolean => {
  if (updatedAt === undefined || found.updatedAt === undefined) return false
  // What was taken away does not come back by being found again; of the same licence the copy at hand is as good.
  return text === undefined ? updatedAt >= found.updatedAt : updatedAt > found.updatedAt
}

/** What to keep once the control plane's own configuration was taken: just that, and that there is none any more. */
export const keepOfControlPlane = (kept: KeptLicense | undefined, found: FoundLicense): KeptLicense | undefined => {
  if (found._tag === "Text") return { updatedAt: found.updatedAt, text: found.text }
  return kept === undefined ? undefined : { updatedAt: kept.updatedAt, text: undefined }
}

/** What to keep once a configuration that may be an older one was taken: the newer of the two. */
export const keepNewer = (kept: KeptLicense | undefined, found: FoundLicense): KeptLicense | undefined => {
  if (found._tag !== "Text") return kept
  const isDated = kept?.updatedAt !== undefined
  if (isDated && (found.updatedAt === undefined || outweighs(kept, found))) return kept
  return { updatedAt: found.updatedAt, text: found.text }
}
