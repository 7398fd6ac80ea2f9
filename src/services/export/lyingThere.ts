/**
 * What an object says of its own age. It counts only if it is whole and, where signatures are asked for, somebody trusted
 * vouches for it: else whoever may write to the store could stop every export with a date in the future.
 *
 * A table is never parsed here: of what anybody may have put there, a few kilobytes could hold the thread for seconds, or
 * end the process. Its provenance and the digest of its bytes say all that is asked.
 */
import { Effect } from "effect"
import { type ReadOrigin, readOrigin, standingOfOrigin, type UnreadableTable } from "../../model/CachedTable.ts"
import type { Standing } from "../../model/ConfigOrder.ts"
import { parseRecord } from "../../model/Entity.ts"
import { digestOfTable, provenanceMaxBytes, splitEnvelope } from "../../model/EnvelopeParts.ts"
import { Compression, inflatedMaxBytes } from "../Compression.ts"
import { ConfigTrust } from "../ConfigTrust.ts"
import { isEncrypted } from "../EnvelopeProtection.ts"
import { takeTurns } from "../takeTurns.ts"

export type Lying =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Dated"; readonly standing: Standing }
  /** Torn, altered, somebody else's, or without a word of its age: anything may take its place. */
  | { readonly _tag: "Worthless"; readonly reason: string }
  /** A newer Holdfast's, or encrypted: it can't be judged, and is left alone. */
  | { readonly _tag: "Foreign"; readonly reason: string }

const worthless = (reason: string): Lying => ({ _tag: "Worthless", reason })

type Told = ReadOrigin | UnreadableTable

const judge = Effect.fnUntraced(function* (
  told: Told,
  isWhole: (sha256: string | undefined) => Effect.Effect<boolean>
) {
  if (told._tag === "Wrong")
    return told.stage === "format"
      ? ({ _tag: "Foreign", reason: told.message } satisfies Lying)
      : worthless(told.message)
  const standing = standingOfOrigin(told)
  if (standing.sequence === undefined && standing.issuedAtMs === undefined)
    return worthless("it does not say how old it is")
  if (!(yield* (yield* ConfigTrust).isVouchedFor(told.attestation)))
    return worthless("nobody who is trusted has signed it")
  if (!(yield* isWhole(told.sha256))) return worthless("its content is not what its digest stands for")
  return { _tag: "Dated", standing } satisfies Lying
})

const judgeText = Effect.fnUntraced(function* (text: Uint8Array) {
  const parts = splitEnvelope(text)
  if (parts === undefined) return worthless("it is no configuration as an exporter writes it")
  return yield* judge(readOrigin(parts.provenance), (sha256) =>
    sha256 === undefined
      ? Effect.succeed(false)
      : Effect.map(
          takeTurns(() => digestOfTable(parts)),
          (digest) => digest === sha256
        )
  )
})

const encrypted: Lying = { _tag: "Foreign", reason: "it is encrypted, and this exporter does not encrypt" }

/** The envelope itself, in plain, for whoever writes it in plain. */
export const judgeEnvelope = Effect.fnUntraced(function* (bytes: Uint8Array) {
  if (isEncrypted(bytes)) return encrypted
  const { gunzip } = yield* Compression
  return yield* gunzip(bytes, inflatedMaxBytes).pipe(
    Effect.flatMap(judgeText),
    Effect.catchTag("CompressionError", ({ reason, message }) =>
      reason === "noMemory" ? Effect.die(new Error(message)) : Effect.succeed(worthless(message))
    )
  )
})

/** What stands beside an envelope that can't be read here: its provenance alone. */
export const judgeStanding = (bytes: Uint8Array): Effect.Effect<Lying> => {
  const row = bytes.length > provenanceMaxBytes ? undefined : parseRecord(new TextDecoder().decode(bytes))
  return row === undefined
    ? Effect.succeed(worthless("expected JSON that says how old the configuration is"))
    : judge(readOrigin(row), () => Effect.succeed(true))
}
