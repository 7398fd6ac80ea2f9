/**
 * ConfigCache in `<prefix>/config.json.gz`. A new file is written beside it, flushed, and renamed over it; then the
 * folder is flushed. Whenever the machine stops, the file is the former or the new one, whole.
 */
import { createHash } from "node:crypto"
import { mkdir, open, readFile, rename, stat } from "node:fs/promises"
import { join } from "node:path"
import { Clock, Effect, Layer, Option, Semaphore } from "effect"
import { decodeCachedTable, encodeCachedTable } from "../model/CachedTable.ts"
import type { Snapshot } from "../model/Snapshot.ts"
import { codeOf, messageOf } from "../model/thrown.ts"
import { Compression, inflatedMaxBytes } from "../services/Compression.ts"
import { ConfigCache, ConfigCacheError } from "../services/ConfigCache.ts"
import type { Offer } from "../services/LiveConfig.ts"
import { Settings } from "../services/Settings.ts"

const fileName = "config.json.gz"
/** What Kong 2.x called it; read when the first is missing. */
const formerFileName = "config.cache.json.gz"
const ownerOnly = 0o600

const notProcessed = (cause: unknown): string => `can't be processed (${messageOf(cause)})`

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const readIfThere = async (
  file: string
): Promise<{ readonly bytes: Buffer; readonly modifiedAtMs: number } | undefined> => {
  try {
    const [bytes, { mtimeMs }] = await Promise.all([readFile(file), stat(file)])
    return { bytes, modifiedAtMs: Math.round(mtimeMs) }
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
}

const flushFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const replaceFile = async (folder: string, file: string, bytes: Uint8Array): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const beside = `${file}.new`
  const handle = await open(beside, "w", ownerOnly)
  try {
    // A file left over from a crash keeps the mode that it was made with.
    await handle.chmod(ownerOnly)
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, file)
  await flushFolder(folder)
}

const make = Effect.gen(function* () {
  const { prefix } = yield* Settings
  const compression = yield* Compression
  const file = join(prefix, fileName)
  const oneAtATime = yield* Semaphore.make(1)
  /** Digests of what this node wrote, and of what it read of a person's: times and inodes tell nothing of who wrote. */
  let own: string | undefined
  /** A write may fail after its file took the other's place: then both are this node's. */
  let attempted: string | undefined
  let known: string | undefined

  const readOne = Effect.fnUntraced(function* (path: string, onBytes: (digest: string) => void = () => {}) {
    const failed = (message: string) => new ConfigCacheError({ operation: "read", file: path, message })
    const found = yield* Effect.tryPromise({ try: () => readIfThere(path), catch: (cause) => failed(messageOf(cause)) })
    if (found === undefined) return Option.none<Offer>()
    onBytes(digest(found.bytes))
    const inflated = yield* compression
      .gunzip(found.bytes, inflatedMaxBytes)
      .pipe(Effect.mapError((error) => failed(error.message)))
    const cached = yield* Effect.try({
      try: () => decodeCachedTable(new TextDecoder().decode(inflated)),
      catch: (cause) => failed(notProcessed(cause))
    })
    if (cached === undefined) return yield* failed("expected a config table as JSON")
    const { raw, hash, receivedAtMs = found.modifiedAtMs } = cached
    return Option.some<Offer>({ raw, hash, receivedAtMs, source: "disk" })
  })

  const read = Effect.gen(function* () {
    const current = yield* readOne(file, (found) => {
      own = found
    })
    return Option.isSome(current) ? current : yield* readOne(join(prefix, formerFileName))
  })

  const write = Effect.fnUntraced(
    function* (snapshot: Snapshot) {
      const startedAtMs = yield* Clock.currentTimeMillis
      const failed = (message: string) => new ConfigCacheError({ operation: "write", file, message })
      const text = yield* Effect.try({
        try: () => encodeCachedTable(snapshot),
        catch: (cause) => failed(notProcessed(cause))
      })
      const bytes = yield* compression.gzip(new TextEncoder().encode(text))
      attempted = digest(bytes)
      yield* Effect.tryPromise({
        try: () => replaceFile(prefix, file, bytes),
        catch: (cause) => failed(messageOf(cause))
      })
      own = attempted
      const tookMs = (yield* Clock.currentTimeMillis) - startedAtMs
      yield* Effect.logDebug("configuration cached").pipe(Effect.annotateLogs({ file, bytes: bytes.length, tookMs }))
    },
    Effect.uninterruptible,
    oneAtATime.withPermit
  )

  const state = Effect.promise(async () => {
    try {
      const found = await readIfThere(file)
      return found === undefined ? undefined : digest(found.bytes)
    } catch {
      return "unreadable"
    }
  }).pipe(
    Effect.map((found) => {
      if (found === undefined) return "absent"
      return found === own || found === attempted ? "own" : found === known ? "known" : "foreign"
    })
  )

  const readByHand = readOne(file, (found) => {
    known = found
  })

  // Never while this node writes: its own half-known file would look foreign.
  const byHand = { file, state: oneAtATime.withPermit(state), read: oneAtATime.withPermit(readByHand) }
  return ConfigCache.of({ read, write, byHand })
})

export const layer: Layer.Layer<ConfigCache, never, Settings | Compression> = Layer.effect(ConfigCache, make)
