/**
 * Reads one file of the cache, step by step: size, protection, gzip, JSON, format, digest. Schema and compilation come
 * after it, with whoever serves the table. A refusal says at which step, and whether the file is to blame.
 */
import { Data, Effect } from "effect"
import { type CachedTable, decodeCachedTable } from "../../model/CachedTable.ts"
import type { Row } from "../../model/Entity.ts"
import { sha256, type TableContent } from "../../model/TableContent.ts"
import { isShortOfMemory, messageOf } from "../../model/thrown.ts"
import type { CacheProtection } from "../../services/CacheProtection.ts"
import { type Compression, inflatedMaxBytes } from "../../services/Compression.ts"
import type { Disk, DiskError, FileContent } from "../../services/Disk.ts"

/** Gzip may make small things larger, never much: whatever a control plane could send fits, and can be read back. */
export const cacheFileMaxBytes = inflatedMaxBytes

export type ReadStage = "read" | "size" | "unprotect" | "gzip" | "json" | "format" | "digest"

export interface RefusedFile {
  readonly _tag: "Refused"
  readonly path: string
  /** SHA-256 of the file's bytes; `undefined` when they could not be read. */
  readonly digest: string | undefined
  readonly stage: ReadStage
  readonly message: string
  /** It may be good: another version's, or not readable here and now. Then it is left where it is. */
  readonly mayServeYet: boolean
}

export interface ReadFile {
  readonly _tag: "Read"
  readonly path: string
  readonly digest: string
  readonly table: CachedTable
  readonly modifiedAtMs: number
  /** Readable, but not protected as it should be by now. */
  readonly isStale: boolean
}

export type CacheFile = ReadFile | RefusedFile | { readonly _tag: "Absent" }

class Refusal extends Data.TaggedError("Refusal")<{
  readonly stage: ReadStage
  readonly message: string
  readonly mayServeYet?: true
}> {}

const ofDisk = ({ code, message }: DiskError): Refusal =>
  code === "EFBIG"
    ? new Refusal({ stage: "size", message: `expected at most ${cacheFileMaxBytes} bytes` })
    : new Refusal({ stage: "read", message, mayServeYet: true })

/** A key that is not there, a newer format, want of memory: nothing is wrong with the file. */
const mayServeYetIf = (isSo: boolean): { readonly mayServeYet?: true } => (isSo ? { mayServeYet: true } : {})

export interface CacheReader {
  readonly disk: Disk["Service"]
  readonly compression: Compression["Service"]
  readonly protection: CacheProtection
  readonly describeTable: (raw: Row) => TableContent
}

const decode = Effect.fnUntraced(function* (
  { compression, protection, describeTable }: CacheReader,
  protectedBytes: Uint8Array
) {
  const { bytes, isStale } = yield* Effect.mapError(
    protection.unprotect(protectedBytes),
    ({ message, isPassing }) => new Refusal({ stage: "unprotect", message, ...mayServeYetIf(isPassing) })
  )
  const inflated = yield* Effect.mapError(
    compression.gunzip(bytes, inflatedMaxBytes),
    ({ reason, message }) =>
      new Refusal({
        stage: reason === "tooLarge" ? "size" : "gzip",
        message,
        ...mayServeYetIf(reason === "noMemory")
      })
  )
  const decoded = yield* Effect.try({
    try: () => decodeCachedTable(new TextDecoder().decode(inflated), describeTable),
    catch: (cause) =>
      new Refusal({
        stage: "json",
        message: `can't be processed (${messageOf(cause)})`,
        ...mayServeYetIf(isShortOfMemory(cause))
      })
  })
  if (decoded._tag === "Right") return { table: decoded, isStale }
  const { stage, message } = decoded
  return yield* new Refusal({ stage, message, ...mayServeYetIf(stage === "format") })
})

const judge = (reader: CacheReader, path: string, { bytes, modifiedAtMs }: FileContent): Effect.Effect<CacheFile> => {
  const digest = sha256(bytes)
  return Effect.match(decode(reader, bytes), {
    onSuccess: ({ table, isStale }): CacheFile => ({ _tag: "Read", path, digest, table, modifiedAtMs, isStale }),
    onFailure: ({ stage, message, mayServeYet = false }): CacheFile => ({
      _tag: "Refused",
      path,
      digest,
      stage,
      message,
      mayServeYet
    })
  })
}

export const readCacheFile = (reader: CacheReader, path: string): Effect.Effect<CacheFile> =>
  Effect.matchEffect(reader.disk.read(path, cacheFileMaxBytes), {
    onSuccess: (found) => judge(reader, path, found),
    onFailure: (error) => {
      if (error.code === "ENOENT") return Effect.succeed<CacheFile>({ _tag: "Absent" })
      const { stage, message, mayServeYet = false } = ofDisk(error)
      return Effect.succeed<CacheFile>({ _tag: "Refused", path, digest: undefined, stage, message, mayServeYet })
    }
  })

/** What a file's bytes are known by; the same for all that can't be read. */
export const fingerprint = (disk: Disk["Service"], path: string): Effect.Effect<string> =>
  Effect.match(disk.read(path, cacheFileMaxBytes), {
    onSuccess: ({ bytes }) => sha256(bytes),
    onFailure: ({ code }) => (code === "ENOENT" ? absent : unreadable)
  })

export const absent = "absent"
export const unreadable = "unreadable"
