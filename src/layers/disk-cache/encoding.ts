/**
 * A snapshot as the cache keeps it, before protection: the table's text with its digest, in gzip. For a large table that is
 * a second of the thread that carries traffic, so it is done once, however often the write is tried. One outcome is kept,
 * until it is dropped or nobody holds its snapshot any more. Protection comes after it and anew with each try, for the key
 * may be another one by then.
 */
import { Effect, Result } from "effect"
import { encodeCachedTable } from "../../model/CachedTable.ts"
import type { Snapshot } from "../../model/Snapshot.ts"
import { isShortOfMemory, messageOf } from "../../model/thrown.ts"
import type { Compression } from "../../services/Compression.ts"
import { ConfigCacheError } from "../../services/ConfigCache.ts"
import type { ConfigCodec } from "../../services/ConfigCodec.ts"

export interface EncodingParts {
  readonly compression: Compression["Service"]
  readonly describeTable: ConfigCodec["describeTable"]
  /** What errors name. */
  readonly file: string
  /** Of the text: what could not be read again must not take the place of what can. */
  readonly maxBytes: number
}

export const makeEncoding = ({ compression, describeTable, file, maxBytes }: EncodingParts) => {
  let kept = new WeakMap<Snapshot, Result.Result<Uint8Array, ConfigCacheError>>()

  const failed = (message: string, more: { readonly code?: string } = {}) =>
    new ConfigCacheError({ operation: "write", file, message, ...more })

  const unprocessed = (cause: unknown) =>
    failed(`can't be processed (${messageOf(cause)})`, isShortOfMemory(cause) ? { code: "ENOMEM" } : {})

  const encode = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const text = yield* Effect.try({
      try: () => encodeCachedTable(describeTable(snapshot.raw), snapshot),
      catch: unprocessed
    })
    const inflated = new TextEncoder().encode(text)
    if (inflated.length > maxBytes) return yield* failed(`expected at most ${maxBytes} bytes of JSON`)
    return yield* compression.gzip(inflated)
  })

  const encoded = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const outcome = kept.get(snapshot) ?? (yield* Effect.result(encode(snapshot)))
    const mayPass = Result.isFailure(outcome) && outcome.failure.code !== undefined
    if (!mayPass) kept = new WeakMap([[snapshot, outcome]])
    return yield* Effect.fromResult(outcome)
  })

  /** Nothing of this snapshot is owed to the disk any more. */
  const drop = (snapshot: Snapshot): void => void kept.delete(snapshot)

  return { encoded, drop }
}
