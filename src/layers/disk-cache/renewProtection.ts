/**
 * Writes anew what can be read and is not protected as it should be by now: after encryption was turned on or off, or its
 * key was exchanged. The bytes inside, names and order stay. The current file first, for it is needed first. What no key
 * reads is left aside, and told.
 */
import { Effect } from "effect"
import { sha256 } from "../../model/TableContent.ts"
import type { CacheProtection } from "../../services/CacheProtection.ts"
import type { LeftAside } from "../../services/ConfigCache.ts"
import { type Disk, type DiskError, replaceFile } from "../../services/Disk.ts"
import { type CachePaths, ownerOnly } from "./cachePaths.ts"
import type { Generations } from "./generations.ts"
import type { Ownership } from "./ownership.ts"
import { cacheFileMaxBytes } from "./readCacheFile.ts"

export const renewProtection = (parts: {
  readonly disk: Disk["Service"]
  readonly protection: CacheProtection
  readonly paths: CachePaths
  readonly generations: Generations
  readonly ownership: Ownership
}): Effect.Effect<ReadonlyArray<LeftAside>, DiskError> => {
  const { disk, protection, paths, generations, ownership } = parts

  const renewOne = Effect.fnUntraced(function* (path: string) {
    const { bytes: found } = yield* disk.read(path, cacheFileMaxBytes)
    const { bytes, isStale } = yield* protection.unprotect(found)
    if (!isStale) return
    const renewed = yield* protection.protect(bytes)
    yield* replaceFile(disk, { path, bytes: renewed, mode: ownerOnly })
    if (path === paths.current) ownership.renewed(sha256(found), sha256(renewed))
  })

  const none: ReadonlyArray<LeftAside> = []

  /** What no key reads is judged on the day on which it is asked for; what is gone needs nothing. */
  const unlessHopeless = (path: string): Effect.Effect<ReadonlyArray<LeftAside>, DiskError> =>
    renewOne(path).pipe(
      Effect.as(none),
      Effect.catchTag("CacheProtectionError", ({ message, keyId }) =>
        Effect.succeed([{ file: path, reason: message, keyId }])
      ),
      Effect.catchIf(
        ({ code }) => code === "ENOENT",
        () => Effect.succeed(none)
      )
    )

  return Effect.gen(function* () {
    const left = yield* Effect.forEach(
      [paths.current, paths.license, ...(yield* generations.newestFirst)],
      unlessHopeless
    )
    return left.flat()
  })
}
