/**
 * What an object says of its own age. It counts only if it is whole and, where signatures are asked for, somebody trusted
 * vouches for it: else whoever may write to the store could stop every export with a date in the future.
 */
import { createHash } from "node:crypto"
import { Effect } from "effect"
import { decodeCachedTable, type ReadOrigin, readOrigin, type UnreadableTable } from "../../model/CachedTable.ts"
import type { Standing } from "../../model/ConfigOrder.ts"
import { isRecord } from "../../model/Entity.ts"
import { type EnvelopeParts, splitEnvelope } from "../../model/EnvelopeParts.ts"
import type { Steps } from "../../model/steps.ts"
import { messageOf } from "../../model/thrown.ts"
import { Compression, inflatedMaxBytes } from "../Compression.ts"
import { ConfigCodec } from "../ConfigCodec.ts"
import { ConfigTrust } from "../ConfigTrust.ts"
import { takeTurns } from "../takeTurns.ts"

export type Lying =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Dated"; readonly standing: Standing }
  /** Torn, altered, somebody else's, or without a word of its age: anything may take its place. */
  | { readonly _tag: "Worthless"; readonly reason: string }
  /** A newer Holdfast's: it can't be judged, and is left alone. */
  | { readonly _tag: "Foreign"; readonly reason: string }

const worthless = (reason: string): Lying => ({ _tag: "Worthless", reason })

type Told = ReadOrigin | UnreadableTable

/** Its place in the order; without a time of its control plane, when it came from there. */
export const standingOf = ({
  epoch,
  sequence,
  issuedAtMs,
  receivedAtMs,
  sha256,
  attestation
}: ReadOrigin): Standing => ({
  ...(epoch === undefined ? {} : { epoch }),
  ...(sequence === undefined ? {} : { sequence }),
  issuedAtMs: issuedAtMs ?? receivedAtMs,
  sha256,
  ...attestation?.statement
})

const bytesPerStep = 1_000_000

/** Of the table's text, in steps of a few milliseconds at most. */
function* digestOf({ tableHead }: EnvelopeParts): Steps<string> {
  const hash = createHash("sha256")
  for (let at = 0; at < tableHead.length; at += bytesPerStep) {
    hash.update(tableHead.subarray(at, at + bytesPerStep))
    yield
  }
  return hash.update("}").digest("hex")
}

const judge = Effect.fnUntraced(function* (
  told: Told,
  isWhole: (sha256: string | undefined) => Effect.Effect<boolean>
) {
  if (told._tag === "Wrong")
    return told.stage === "format"
      ? ({ _tag: "Foreign", reason: told.message } satisfies Lying)
      : worthless(told.message)
  const standing = standingOf(told)
  if (standing.sequence === undefined && standing.issuedAtMs === undefined)
    return worthless("it does not say how old it is")
  if (!(yield* (yield* ConfigTrust).isVouchedFor(told.attestation)))
    return worthless("nobody who is trusted has signed it")
  if (!(yield* isWhole(told.sha256))) return worthless("its content is not what its digest stands for")
  return { _tag: "Dated", standing } satisfies Lying
})

const parsedTable = Effect.fnUntraced(function* (text: Uint8Array) {
  const { describeTable } = yield* ConfigCodec
  return yield* Effect.try({
    try: () => decodeCachedTable(new TextDecoder().decode(text), describeTable),
    catch: messageOf
  }).pipe(
    Effect.catch((cause) =>
      Effect.succeed<UnreadableTable>({ _tag: "Wrong", stage: "json", message: `it can't be processed (${cause})` })
    )
  )
})

/** For what a person wrote anew, with `jq` say. */
const judgeParsed = Effect.fnUntraced(function* (text: Uint8Array) {
  const table = yield* parsedTable(text)
  if (table._tag === "Wrong") return yield* judge(table, () => Effect.succeed(false))
  const { sha256 } = table
  return yield* judge({ ...table, sha256 }, (told) => Effect.succeed(told !== undefined))
})

const judgeText = Effect.fnUntraced(function* (text: Uint8Array) {
  const parts = splitEnvelope(text)
  if (parts === undefined) return yield* judgeParsed(text)
  const isWhole = Effect.fnUntraced(function* (sha256: string | undefined) {
    if (sha256 === undefined) return false
    if ((yield* takeTurns(() => digestOf(parts))) === sha256) return true
    const table = yield* parsedTable(text)
    return table._tag === "Right" && table.sha256 === sha256
  })
  return yield* judge(readOrigin(parts.provenance), isWhole)
})

/** The envelope itself, in plain. */
export const judgeEnvelope = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const { gunzip } = yield* Compression
  return yield* gunzip(bytes, inflatedMaxBytes).pipe(
    Effect.flatMap(judgeText),
    Effect.catchTag("CompressionError", ({ reason, message }) =>
      reason === "noMemory" ? Effect.die(new Error(message)) : Effect.succeed(worthless(message))
    )
  )
})

const parsed = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

/** What stands beside an envelope that can't be read here: its provenance alone. */
export const judgeStanding = (bytes: Uint8Array): Effect.Effect<Lying> => {
  const row = parsed(bytes)
  return isRecord(row)
    ? judge(readOrigin(row), () => Effect.succeed(true))
    : Effect.succeed(worthless("expected JSON that says how old the configuration is"))
}
