/**
 * What the disk offers. The current file first; when it is there and refused, the older ones, newest first. What serves
 * of them becomes the current file at once, and what was refused goes into quarantine:
 *
 *   no current file            nothing is asked but Kong 2.x's: it was deleted, which means forget
 *   refused, an older serves   the refused one gets a second name in quarantine, then the older one its name
 *   refused, none serves       it is moved to quarantine
 *   may serve yet              it stays: another version may read it, or its disk or key may be back tomorrow
 *
 * At each of these steps the process may end: the current name is never free while an older file could serve.
 */
import { Effect } from "effect"
import { formatFault } from "../../model/Fault.ts"
import { version } from "../../model/version.ts"
import type { DiskError } from "../../services/Disk.ts"
import type { ConfigRejected } from "../../services/LiveConfig.ts"
import type { Candidate, RungAnswer } from "../../services/Rung.ts"
import type { CachePaths } from "./cachePaths.ts"
import type { Generations } from "./generations.ts"
import type { Ownership } from "./ownership.ts"
import type { Quarantine } from "./quarantine.ts"
import { type CacheReader, fingerprint, type ReadFile, readCacheFile, unreadable } from "./readCacheFile.ts"

export interface DiskRungParts {
  readonly reader: CacheReader
  readonly paths: CachePaths
  readonly generations: Generations
  readonly quarantine: Quarantine
  readonly ownership: Ownership
  /** Brings what is protected otherwise than it should be up to date. */
  readonly renew: Effect.Effect<void, DiskError>
}

/** A file that will not serve, and why. */
interface Refused {
  readonly path: string
  readonly digest: string | undefined
  readonly stage: string
  readonly reasons: ReadonlyArray<string>
  readonly mayServeYet: boolean
}

const nothing = (reason: string): RungAnswer => ({ _tag: "Nothing", reason })

const refusedTable = ({ path, digest, table }: ReadFile, { stage = "schema", faults }: ConfigRejected): Refused => ({
  path,
  digest,
  stage,
  reasons: faults.map(formatFault),
  // Another version wrote it, and thought it right.
  mayServeYet: table.writtenBy !== undefined && table.writtenBy !== version
})

export const makeDiskRung = ({ reader, paths, generations, quarantine, ownership, renew }: DiskRungParts) => {
  const { disk } = reader
  const { current } = paths

  const candidate = (
    { path, table, modifiedAtMs }: ReadFile,
    served: Effect.Effect<void>,
    refused: Candidate["refused"]
  ): Candidate => {
    const { raw, hash, receivedAtMs = modifiedAtMs, epoch, sequence } = table
    const counted = { ...(epoch === undefined ? {} : { epoch }), ...(sequence === undefined ? {} : { sequence }) }
    return {
      _tag: "Candidate",
      offer: { raw, hash, receivedAtMs, source: "disk", place: path, ...counted },
      served,
      refused
    }
  }

  /** Reads one file and makes an answer of it; `after` goes on from its refusal, `Absent` counts as no file. */
  const answerFrom = Effect.fnUntraced(function* (
    path: string,
    steps: {
      readonly absent: Effect.Effect<RungAnswer>
      readonly read: (fingerprint: string) => void
      readonly served: (file: ReadFile) => Effect.Effect<void>
      readonly refused: (refused: Refused) => Effect.Effect<RungAnswer>
    }
  ): Effect.fn.Return<RungAnswer> {
    const file = yield* readCacheFile(reader, path)
    if (file._tag === "Absent") return yield* steps.absent
    steps.read(file.digest ?? unreadable)
    if (file._tag === "Read")
      return candidate(file, steps.served(file), (rejected) => steps.refused(refusedTable(file, rejected)))
    const { stage, message } = file
    const fault = { path: [], place: path, message: `${stage}: ${message}` }
    const refused = { ...file, reasons: [formatFault(fault)] }
    return { _tag: "Unusable", stage, faults: [fault], next: steps.refused(refused) }
  })

  const causeOf = ({ path, message }: DiskError) => ({ file: path, cause: message })

  /** The refused file keeps a second name before the first one goes to the older file: in between it is still there. */
  const promote = (older: ReadFile, refused: Refused): Effect.Effect<void> =>
    Effect.gen(function* () {
      // A person may have been quicker.
      if ((yield* fingerprint(disk, current)) !== (refused.digest ?? unreadable)) return
      if (refused.mayServeYet || !(yield* quarantine.put(refused, "link"))) {
        yield* Effect.logWarning("an older configuration serves; the refused cache file stays in its place").pipe(
          Effect.annotateLogs({ file: current, older: older.path })
        )
        return
      }
      yield* disk.rename(older.path, current)
      ownership.wrote(older.digest)
      yield* disk.syncFolder(paths.prefix)
      yield* disk.syncFolder(paths.generations)
      yield* Effect.logWarning("an older configuration became the current cache file").pipe(
        Effect.annotateLogs({ file: current, older: older.path })
      )
    }).pipe(
      Effect.catch((error) =>
        Effect.logWarning("an older configuration serves but can't become the current cache file").pipe(
          Effect.annotateLogs(causeOf(error))
        )
      )
    )

  const tellUnrenewed = (error: DiskError) =>
    Effect.logWarning("cache files can't be protected anew").pipe(Effect.annotateLogs(causeOf(error)))

  const renewIfStale = ({ isStale }: ReadFile): Effect.Effect<void> =>
    isStale ? Effect.catch(renew, tellUnrenewed) : Effect.void

  /** Nothing is left that could serve in its place: the last that may go is the current file. */
  const settle = Effect.fnUntraced(function* (refused: Refused, areAllJudged: boolean) {
    if (!areAllJudged || refused.mayServeYet) return nothing("the refused file stays: it may serve yet")
    if (yield* quarantine.put(refused, "move")) return nothing(`the refused files are in ${paths.quarantine}`)
    return nothing("nothing older is left")
  })

  const older = (refused: Refused, left: ReadonlyArray<string>, areAllJudged: boolean): Effect.Effect<RungAnswer> => {
    const [path, ...rest] = left
    if (path === undefined) return settle(refused, areAllJudged)
    const goOn = older(refused, rest, areAllJudged)
    return answerFrom(path, {
      absent: Effect.suspend(() => goOn),
      read: () => {},
      served: (file) => Effect.andThen(promote(file, refused), renewIfStale(file)),
      refused: (worse) =>
        worse.mayServeYet
          ? older(refused, rest, false)
          : Effect.andThen(quarantine.put(worse, "move"), (isAway) => older(refused, rest, areAllJudged && isAway))
    })
  }

  const consultOlder = (refused: Refused): Effect.Effect<RungAnswer> =>
    Effect.matchEffect(generations.newestFirst, {
      onSuccess: (paths) => older(refused, paths, true),
      onFailure: ({ message }) => Effect.succeed(nothing(`older ones can't be listed: ${message}`))
    })

  const former: Effect.Effect<RungAnswer> = answerFrom(paths.former, {
    absent: Effect.succeed(nothing(`there is no ${current}`)),
    read: () => {},
    served: () => Effect.void,
    refused: (refused) => settle(refused, true)
  })

  const offer: Effect.Effect<RungAnswer> = answerFrom(current, {
    absent: former,
    read: ownership.reads,
    served: (file) =>
      Effect.andThen(
        Effect.sync(() => ownership.trust(file.digest)),
        renewIfStale(file)
      ),
    refused: consultOlder
  })

  const offerByHand: Effect.Effect<RungAnswer> = answerFrom(current, {
    absent: Effect.succeed(nothing(`there is no ${current}`)),
    read: ownership.readsByHand,
    served: ({ digest }) => Effect.sync(() => ownership.trust(digest)),
    refused: (refused) =>
      Effect.as(
        refused.digest === undefined ? Effect.void : quarantine.put(refused, "copy"),
        nothing("it stays as it is")
      )
  })

  return { offer, offerByHand }
}
