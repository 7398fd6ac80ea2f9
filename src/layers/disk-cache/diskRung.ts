/**
 * What the disk offers. The current file first; when it is there and refused, the older ones, newest first. What serves
 * of them becomes the current file at once, and what was refused goes into quarantine:
 *
 *   no current file            nothing is asked but Kong 2.x's: it was deleted, which means forget, the kept licence too
 *   refused, an older serves   the refused one gets a second name in quarantine, then the older one its name
 *   refused, none serves       it is moved to quarantine
 *   may serve yet              it stays: another version may read it, or its disk or key may be back tomorrow
 *
 * At each of these steps the process may end: the current name is never free while an older file could serve.
 */
import { Effect } from "effect"
import { formatFault } from "../../model/Fault.ts"
import { provenanceOf } from "../../model/Snapshot.ts"
import { version } from "../../model/version.ts"
import type { DiskError } from "../../services/Disk.ts"
import type { ConfigRejected } from "../../services/LiveConfig.ts"
import type { Candidate, RungAnswer } from "../../services/Rung.ts"
import type { CachePaths } from "./cachePaths.ts"
import type { Generations } from "./generations.ts"
import type { Ownership } from "./ownership.ts"
import type { Quarantine } from "./quarantine.ts"
import {
  type CacheReader,
  fingerprint,
  type ReadFile,
  type RefusedFile,
  readCacheFile,
  unreadable
} from "./readCacheFile.ts"

export interface DiskRungParts {
  readonly reader: CacheReader
  readonly paths: CachePaths
  readonly generations: Generations
  readonly quarantine: Quarantine
  readonly ownership: Ownership
  /** To be told whether there is a current file, before anything is made of it. */
  readonly sees: (isThere: boolean) => Effect.Effect<void>
  /** Brings what is protected otherwise than it should be up to date. */
  readonly renew: Effect.Effect<unknown, DiskError>
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

const refusedTable = (
  { path, digest, table }: ReadFile,
  { stage = "schema", faults, mayServeYet }: ConfigRejected
): Refused => ({
  path,
  digest,
  stage,
  reasons: faults.map(formatFault),
  // Another version wrote it, and thought it right.
  mayServeYet: mayServeYet === true || (table.writtenBy !== undefined && table.writtenBy !== version)
})

export const makeDiskRung = (parts: DiskRungParts) => {
  const { reader, paths, generations, quarantine, ownership, sees, renew } = parts
  const { disk } = reader
  const { current } = paths

  const candidate = (
    { path, table, modifiedAtMs }: ReadFile,
    served: Effect.Effect<void>,
    refused: Candidate["refused"]
  ): Candidate => {
    const { raw, hash, sha256, receivedAtMs = modifiedAtMs } = table
    const told = sha256 === undefined ? {} : { sha256 }
    return {
      _tag: "Candidate",
      offer: { raw, hash, receivedAtMs, source: "disk", place: path, ...told, ...provenanceOf(table) },
      served,
      refused
    }
  }

  /** Makes an answer of a file; `refused` goes on from its refusal. */
  const answerFor = (
    file: ReadFile | RefusedFile,
    served: (file: ReadFile) => Effect.Effect<void>,
    refused: (refused: Refused) => Effect.Effect<RungAnswer>
  ): RungAnswer => {
    if (file._tag === "Read") return candidate(file, served(file), (rejected) => refused(refusedTable(file, rejected)))
    const { path, stage, message } = file
    const fault = { path: [], place: path, message: `${stage}: ${message}` }
    return { _tag: "Unusable", stage, faults: [fault], next: refused({ ...file, reasons: [formatFault(fault)] }) }
  }

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
    isStale ? Effect.catch(Effect.asVoid(renew), tellUnrenewed) : Effect.void

  /** Nothing is left that could serve in its place: the last that may go is the current file. */
  const settle = Effect.fnUntraced(function* (refused: Refused, areAllJudged: boolean) {
    if (!areAllJudged || refused.mayServeYet) return nothing("the refused file stays: it may serve yet")
    if (yield* quarantine.put(refused, "move")) return nothing(`the refused files are in ${paths.quarantine}`)
    return nothing("nothing older is left")
  })

  /** The file that was refused first, and what has been judged since, all of it or not. */
  interface Search {
    readonly current: Refused
    readonly left: ReadonlyArray<string>
    readonly judged: ReadonlySet<string | undefined>
    readonly areAllJudged: boolean
  }

  const older = Effect.fnUntraced(function* ({ left, ...search }: Search): Effect.fn.Return<RungAnswer> {
    const [path, ...rest] = left
    if (path === undefined) return yield* settle(search.current, search.areAllJudged)
    const goOn = (worse: Refused) =>
      Effect.gen(function* () {
        if (!worse.mayServeYet) yield* quarantine.put(worse, "move")
        const judged = new Set([...search.judged, worse.digest])
        return yield* older({ ...search, left: rest, judged, areAllJudged: search.areAllJudged && !worse.mayServeYet })
      })
    const file = yield* readCacheFile(reader, path)
    if (file._tag === "Absent") return yield* older({ ...search, left: rest })
    // A crash between two steps left the same file under two names: it is not asked for twice.
    if (file._tag === "Read" && search.judged.has(file.digest)) return yield* goOn({ ...search.current, path })
    return answerFor(file, (good) => Effect.andThen(promote(good, search.current), renewIfStale(good)), goOn)
  })

  const consultOlder = (current: Refused): Effect.Effect<RungAnswer> =>
    Effect.matchEffect(generations.newestFirst, {
      onSuccess: (left) => older({ current, left, judged: new Set([current.digest]), areAllJudged: true }),
      onFailure: ({ message }) => Effect.succeed(nothing(`older ones can't be listed: ${message}`))
    })

  const former = Effect.gen(function* () {
    const file = yield* readCacheFile(reader, paths.former)
    if (file._tag === "Absent") return nothing(`there is no ${current}`)
    return answerFor(
      file,
      () => Effect.void,
      (refused) => settle(refused, true)
    )
  })

  const offer = Effect.gen(function* () {
    const file = yield* readCacheFile(reader, current)
    yield* sees(file._tag !== "Absent")
    if (file._tag === "Absent") return yield* former
    ownership.reads(file.digest ?? unreadable)
    const served = (good: ReadFile) =>
      Effect.gen(function* () {
        ownership.trust(good.digest)
        // It will be announced: its name must last, also if the process that renamed it did not live to flush that.
        yield* Effect.ignore(disk.syncFolder(paths.prefix))
        yield* renewIfStale(good)
      })
    return answerFor(file, served, consultOlder)
  })

  /** Refused, the file stays where its author put it: a copy goes into quarantine, for it may be overwritten. */
  const offerByHand = Effect.gen(function* () {
    const file = yield* readCacheFile(reader, current)
    if (file._tag === "Absent") return nothing(`there is no ${current}`)
    ownership.readsByHand(file.digest ?? unreadable)
    const copied = (refused: Refused) => (refused.digest === undefined ? Effect.void : quarantine.put(refused, "copy"))
    return answerFor(
      file,
      (good) =>
        Effect.andThen(
          Effect.sync(() => ownership.trust(good.digest)),
          renewIfStale(good)
        ),
      (refused) => Effect.as(copied(refused), nothing("it stays as it is"))
    )
  })

  return { offer, offerByHand }
}
