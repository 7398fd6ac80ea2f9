/**
 * Where refused files go: `<prefix>/quarantine/000007-1a2b3c4d5e6f.json.gz`, with the reasons beside it in
 * `000007-1a2b3c4d5e6f.reason.txt`. The same content stands there once; of more than ten the oldest go. Nothing here
 * fails: a file that can't be put away is told, and stays.
 */
import { dirname, join } from "node:path"
import { DateTime, Effect } from "effect"
import { type Disk, type DiskError, replaceFile } from "../../services/Disk.ts"
import { type CachePaths, nextNumber, numbered, numberOf, ownerOnly } from "./cachePaths.ts"
import { cacheFileMaxBytes } from "./readCacheFile.ts"

export const quarantineMax = 10

export interface Refused {
  readonly path: string
  /** SHA-256 of the file's bytes; `undefined` when they could not be read. */
  readonly digest: string | undefined
  readonly stage: string
  readonly reasons: ReadonlyArray<string>
}

/**
 * `move` takes the file away in one step. `link` leaves it under its name until something else takes that name. `copy`
 * leaves it for good, to whoever goes on writing into it.
 */
export type Manner = "move" | "link" | "copy"

const ending = ".json.gz"

const nameFor = (number: number, digest: string | undefined): string =>
  `${numbered(number)}-${digest?.slice(0, 12) ?? "unread"}`

const oldestFirst = (names: ReadonlyArray<string>): ReadonlyArray<number> =>
  [...new Set(names.flatMap((name) => numberOf(name) ?? []))].sort((a, b) => a - b)

const copyFile = (disk: Disk["Service"], from: string, to: string): Effect.Effect<void, DiskError> =>
  Effect.flatMap(disk.read(from, cacheFileMaxBytes), ({ bytes }) =>
    replaceFile(disk, { path: to, bytes, mode: ownerOnly })
  )

/** A second name where the file system knows such a thing, a second file where it does not. */
export const linkOrCopy = (disk: Disk["Service"], from: string, to: string): Effect.Effect<void, DiskError> =>
  Effect.catch(disk.link(from, to), () => copyFile(disk, from, to))

export const makeQuarantine = (disk: Disk["Service"], { quarantine, current }: CachePaths) => {
  const place: Readonly<Record<Manner, (from: string, to: string) => Effect.Effect<void, DiskError>>> = {
    move: disk.rename,
    link: (from, to) => linkOrCopy(disk, from, to),
    copy: (from, to) => copyFile(disk, from, to)
  }

  const prune = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
    const surplus = new Set<number | undefined>(oldestFirst(names).slice(0, -(quarantineMax - 1)))
    for (const name of names) if (surplus.has(numberOf(name))) yield* disk.remove(join(quarantine, name))
  })

  /** Beside the file before the file: what stands there says why, whenever the process ends. */
  const writeReasons = Effect.fnUntraced(function* (reasonsPath: string, { path, stage, reasons }: Refused) {
    const at = DateTime.formatIso(yield* DateTime.now)
    const text = [`${path}, refused at ${at}, step ${stage}:`, ...reasons, ""].join("\n")
    const file = {
      path: reasonsPath,
      bytes: new TextEncoder().encode(text),
      mode: ownerOnly
    }
    yield* Effect.ignore(replaceFile(disk, file))
  })

  const keep = Effect.fnUntraced(function* (refused: Refused, manner: Manner) {
    yield* disk.makeFolder(quarantine)
    const names = yield* disk.list(quarantine)
    const known = names.find((name) => name.endsWith(`-${refused.digest?.slice(0, 12)}${ending}`))
    const name = known?.slice(0, -ending.length) ?? nameFor(nextNumber(names), refused.digest)
    const reasonsPath = join(quarantine, `${name}.reason.txt`)
    const keptAs = join(quarantine, `${name}${ending}`)
    // What is there already under that name is the same, and is replaced by itself.
    const placed = place[manner](refused.path, keptAs)
    if (known === undefined) {
      yield* prune(names)
      yield* writeReasons(reasonsPath, refused)
      // Reasons without their file would count as one of the ten at each further try.
      yield* Effect.tapError(placed, () => Effect.ignore(disk.remove(reasonsPath)))
    } else yield* placed
    yield* disk.syncFolder(quarantine)
    if (manner === "move") yield* disk.syncFolder(dirname(refused.path))
    return { keptAs, isNew: known === undefined }
  })

  /** False when the file could not be put away, and stays. */
  const put = (refused: Refused, manner: Manner): Effect.Effect<boolean> =>
    Effect.matchEffect(keep(refused, manner), {
      onSuccess: ({ keptAs, isNew }) => {
        if (!isNew && manner !== "move") return Effect.succeed(true)
        const mend = `holdfast config seal ${keptAs} --out ${current}`
        const facts = { file: refused.path, step: refused.stage, keptAs, mend }
        return Effect.logWarning("refused cache file is kept in quarantine").pipe(
          Effect.annotateLogs(facts),
          Effect.as(true)
        )
      },
      onFailure: ({ message }) =>
        Effect.logWarning("refused cache file can't be put into quarantine, and stays").pipe(
          Effect.annotateLogs({ file: refused.path, cause: message }),
          Effect.as(false)
        )
    })

  return { put }
}

export type Quarantine = ReturnType<typeof makeQuarantine>
