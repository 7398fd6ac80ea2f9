/**
 * ConfigCache in `<prefix>/config.json.gz`, with older generations and a quarantine beside it. A new file is written
 * beside the current one and flushed; the current one becomes a generation and keeps its name meanwhile; then the new one
 * is renamed over it. Whenever the machine stops, the current file is the former or the new one, whole, and it never is
 * missing: without it the node would take its deletion for a wish.
 */
import { Effect, Layer, MutableRef, Semaphore } from "effect"
import type { Snapshot } from "../../model/Snapshot.ts"
import { isUsed, preferenceOf } from "../../model/SourcePreference.ts"
import { sha256 } from "../../model/TableContent.ts"
import { CacheProtection, type CacheProtectionError } from "../../services/CacheProtection.ts"
import { Compression } from "../../services/Compression.ts"
import { ConfigCache, ConfigCacheError, type WritableRung } from "../../services/ConfigCache.ts"
import { ConfigCodec } from "../../services/ConfigCodec.ts"
import { ConfigEncoding, type EncodingFailed } from "../../services/ConfigEncoding.ts"
import { ConfigTrust } from "../../services/ConfigTrust.ts"
import { Disk, type DiskError, replaceFile } from "../../services/Disk.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import type { RungAnswer } from "../../services/Rung.ts"
import { Settings } from "../../services/Settings.ts"
import { cachePathsIn, ownerOnly } from "./cachePaths.ts"
import { makeDiskRung } from "./diskRung.ts"
import { makeGenerations } from "./generations.ts"
import { makeKeptLicense } from "./keptLicense.ts"
import { makeOwnership } from "./ownership.ts"
import { makeQuarantine } from "./quarantine.ts"
import { fingerprint, unreadable } from "./readCacheFile.ts"
import { renewProtection } from "./renewProtection.ts"

/** A node whose `config_sources` leaves the disk out neither reads nor writes there. */
const unused: WritableRung = {
  source: "disk",
  offer: Effect.succeed<RungAnswer>({ _tag: "Nothing", reason: "config_sources leaves it out" }),
  write: () => Effect.void
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const compression = yield* Compression
  const disk = yield* Disk
  const protection = yield* CacheProtection
  const { describeTable } = yield* ConfigCodec
  const { encoded } = yield* ConfigEncoding
  const trust = yield* ConfigTrust
  if (!isUsed(preferenceOf(settings), "disk")) return unused

  const paths = cachePathsIn(settings.prefix)
  const reader = { disk, compression, protection, describeTable }
  const ownership = makeOwnership()
  const generations = makeGenerations(disk, paths, settings.config_cache_generations)
  const quarantine = makeQuarantine(disk, paths)
  const renew = renewProtection({ disk, protection, paths, generations, ownership })
  const isToldOfGenerations = MutableRef.make(false)
  // Never two at once: a file that is half known to be its own would look foreign to the node.
  const oneAtATime = yield* Semaphore.make(1)
  const kept = makeKeptLicense({ disk, protection, paths })
  const rung = makeDiskRung({ reader, paths, generations, quarantine, ownership, sees: kept.sees, renew })
  const file = paths.current

  const failedOn = ({ message, code }: DiskError) => new ConfigCacheError({ operation: "write", file, message, code })

  const encode = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const failed = ({ message }: CacheProtectionError) => new ConfigCacheError({ operation: "write", file, message })
    const unencoded = ({ message, code }: EncodingFailed) =>
      new ConfigCacheError({ operation: "write", file, message, ...(code === undefined ? {} : { code }) })
    const bytes = yield* Effect.mapError(encoded(snapshot), unencoded)
    return yield* Effect.mapError(protection.protect(bytes), failed)
  })

  const tellNotKept = (cause: string) =>
    MutableRef.getAndSet(isToldOfGenerations, true)
      ? Effect.void
      : Effect.logWarning("the former configuration can't be kept beside the new one").pipe(
          Effect.annotateLogs({ folder: paths.generations, cause })
        )

  /** A node that can't keep older configurations keeps the newest one all the same. */
  const keepFormer = Effect.fnUntraced(function* (former: string, next: string) {
    if (former === unreadable) return yield* tellNotKept("it can't be read")
    if (!ownership.isTrusted(former) || former === next) return
    yield* Effect.matchEffect(generations.keepCurrent(former), {
      onSuccess: () => Effect.sync(() => MutableRef.set(isToldOfGenerations, false)),
      onFailure: ({ message }) => tellNotKept(message)
    })
  })

  const write = Effect.fnUntraced(
    function* (snapshot: Snapshot, isStillWanted: Effect.Effect<boolean> = Effect.succeed(true)) {
      if (!(yield* isStillWanted)) return
      const startedMs = yield* monotonicMs
      const bytes = yield* encode(snapshot)
      const digest = sha256(bytes)
      const beforeRename = Effect.flatMap(fingerprint(disk, file), (former) => {
        ownership.attempt(digest, former)
        return keepFormer(former, digest)
      })
      yield* Effect.mapError(replaceFile(disk, { path: file, bytes, mode: ownerOnly }, beforeRename), failedOn)
      ownership.wrote(digest)
      yield* trust.kept(snapshot)
      const tookMs = Math.round((yield* monotonicMs) - startedMs)
      yield* Effect.logDebug("configuration cached").pipe(Effect.annotateLogs({ file, bytes: bytes.length, tookMs }))
    },
    Effect.uninterruptible,
    oneAtATime.withPermit
  )

  const exclusively = (answer: Effect.Effect<RungAnswer>): Effect.Effect<RungAnswer> =>
    Effect.map(oneAtATime.withPermit(answer), (found): RungAnswer => {
      if (found._tag === "Nothing") return found
      if (found._tag === "Unusable") return { ...found, next: exclusively(found.next) }
      const { offer, served, refused } = found
      return {
        _tag: "Candidate",
        offer,
        served: oneAtATime.withPermit(served),
        refused: (rejected) => exclusively(refused(rejected))
      }
    })

  const seen = fingerprint(disk, file)
  return ConfigCache.of({
    source: "disk",
    offer: exclusively(rung.offer),
    write,
    keptLicense: {
      file: paths.license,
      read: oneAtATime.withPermit(kept.read),
      write: (text) => Effect.uninterruptible(oneAtATime.withPermit(kept.write(text)))
    },
    renew: Effect.mapError(Effect.uninterruptible(oneAtATime.withPermit(renew)), failedOn),
    byHand: {
      file,
      adopt: oneAtATime.withPermit(Effect.map(seen, ownership.adopt)),
      state: oneAtATime.withPermit(Effect.map(seen, ownership.stateOf)),
      offer: exclusively(rung.offerByHand)
    }
  })
})

export const layer: Layer.Layer<ConfigCache, never, Settings | Compression | ConfigEncoding | Disk> = Layer.effect(
  ConfigCache,
  make
)
