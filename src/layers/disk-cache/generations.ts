/**
 * The configurations before the last one: `<prefix>/generations/000041.json.gz`, the larger the number the newer. They
 * are asked only when the current file is there and refused; without a current file they are none of the node's business.
 */
import { join } from "node:path"
import { Effect } from "effect"
import type { Disk, DiskError } from "../../services/Disk.ts"
import { type CachePaths, nextNumber, numbered, numberOf } from "./cachePaths.ts"
import { linkOrCopy } from "./quarantine.ts"
import { fingerprint } from "./readCacheFile.ts"

const isGeneration = (name: string): boolean => /^\d{6,15}\.json\.gz$/.test(name)

export const makeGenerations = (disk: Disk["Service"], { current, generations }: CachePaths, maxCount: number) => {
  const names = disk.list(generations).pipe(
    Effect.map((found) => found.filter(isGeneration)),
    Effect.catch((error) => (error.code === "ENOENT" ? Effect.succeed<ReadonlyArray<string>>([]) : Effect.fail(error)))
  )

  const byAge = (found: ReadonlyArray<string>): ReadonlyArray<string> =>
    [...found].sort((a, b) => (numberOf(b) ?? 0) - (numberOf(a) ?? 0)).map((name) => join(generations, name))

  /** Paths, the newest first. One that is being asked for must not be asked for again: whoever refuses it, removes it. */
  const newestFirst: Effect.Effect<ReadonlyArray<string>, DiskError> = maxCount === 0
    ? Effect.succeed([])
    : Effect.map(names, byAge)

  /** A crash between this step and the next must not make the same file two generations. */
  const isKept = (digest: string, newest: string | undefined): Effect.Effect<boolean> =>
    newest === undefined ? Effect.succeed(false) : Effect.map(fingerprint(disk, newest), (found) => found === digest)

  const prune = Effect.fnUntraced(function* (found: ReadonlyArray<string>, kept: number) {
    const surplus = byAge(found).slice(kept)
    // The oldest first: whenever this is cut short, the newer ones are there.
    for (const path of surplus.toReversed()) yield* disk.remove(path)
  })

  /** Makes the current file, whose digest this is, the newest generation, and leaves it the current one. */
  const keepCurrent = Effect.fnUntraced(function* (digest: string): Effect.fn.Return<void, DiskError> {
    const found = yield* names
    if (maxCount === 0) return yield* prune(found, 0)
    if (yield* isKept(digest, byAge(found)[0])) return
    // Room is made first, and not again for the next try when this one fails.
    yield* prune(found, maxCount - 1)
    yield* disk.makeFolder(generations)
    yield* linkOrCopy(disk, current, join(generations, `${numbered(nextNumber(found))}.json.gz`))
    yield* disk.syncFolder(generations)
  })

  return { newestFirst, keepCurrent }
}

export type Generations = ReturnType<typeof makeGenerations>
