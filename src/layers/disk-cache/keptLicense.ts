/**
 * `<prefix>/license.kept`: the newest licence of all configurations, beside them and protected as they are. It goes with
 * the cache: whoever deletes `config.json.gz` wants what a control plane said to be forgotten, and this is part of it.
 */
import { Effect } from "effect"
import { licenseMaxBytes } from "../../model/License.ts"
import type { CacheProtection } from "../../services/CacheProtection.ts"
import { ConfigCacheError } from "../../services/ConfigCache.ts"
import { type Disk, type DiskError, replaceFile } from "../../services/Disk.ts"
import { type CachePaths, ownerOnly } from "./cachePaths.ts"

/** A licence as JSON within JSON, each of its bytes escaped, and what encryption adds. */
const fileMaxBytes = licenseMaxBytes * 8

export const makeKeptLicense = (parts: {
  readonly disk: Disk["Service"]
  readonly protection: CacheProtection
  readonly paths: CachePaths
}) => {
  const { disk, protection, paths } = parts
  const file = paths.license
  /** Whether there was no cache when it was looked at first; it may be moved into quarantine after that. */
  let isForgotten: boolean | undefined

  const failed =
    (operation: "read" | "write") =>
    ({ message, code }: { readonly message: string; readonly code?: string }) =>
      new ConfigCacheError({ operation, file, message, ...(code === undefined ? {} : { code }) })

  const sees = (isThere: boolean): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (isForgotten !== undefined) return Effect.void
      isForgotten = !isThere
      return isThere ? Effect.void : Effect.ignore(disk.remove(file))
    })

  /** A node on its own may not have asked its cache. */
  const look: Effect.Effect<void> = Effect.matchEffect(disk.stat(paths.current), {
    onSuccess: () => sees(true),
    onFailure: ({ code }: DiskError) => sees(code !== "ENOENT")
  })

  const textOf = (bytes: Uint8Array) =>
    Effect.map(protection.unprotect(bytes), (plain) => new TextDecoder().decode(plain.bytes))

  const content = Effect.matchEffect(disk.read(file, fileMaxBytes), {
    onSuccess: ({ bytes }) => textOf(bytes),
    onFailure: (error) => (error.code === "ENOENT" ? Effect.succeed(undefined) : Effect.fail(error))
  })

  const read = Effect.gen(function* () {
    if (isForgotten === undefined) yield* look
    // The file may still be there, on a disk that takes nothing away.
    return isForgotten === true ? undefined : yield* content
  }).pipe(Effect.mapError(failed("read")))

  const write = (text: string): Effect.Effect<void, ConfigCacheError> =>
    Effect.gen(function* () {
      const bytes = yield* protection.protect(new TextEncoder().encode(text))
      yield* replaceFile(disk, { path: file, bytes, mode: ownerOnly })
      isForgotten = false
    }).pipe(Effect.mapError(failed("write")))

  return { sees, read, write }
}
