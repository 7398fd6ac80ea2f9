/**
 * What former lives of the process have left: sealed segments are taken as their names say; a segment that was being appended
 * to and the log of a window are read, and what is whole in them is sealed, so that nothing that is offered can be lost again
 * to a power cut, and change. Doing it again after a crash at any step gives the same records under the same sequences.
 */
import { join } from "node:path"
import { Effect, Option, Schema } from "effect"
import { laneKey, TelemetryRecord } from "../../model/telemetry/TelemetryRecord.ts"
import { type Disk, type DiskError, replaceFile } from "../../services/Disk.ts"
import { bytesOf, eachInTurn, heading, type Line, lineOf, type ReadLines, readLines } from "./lines.ts"
import { type FileName, readName, type Span, sealedName } from "./names.ts"
import { replayWindow, requestsOf } from "./OpenWindow.ts"
import type { Piece } from "./Shelf.ts"
import { ownerOnly, removeFile } from "./spoolFiles.ts"

/** Far beyond what any of them grows to; larger is something else. */
export const fileMaxBytes = 64 * 2 ** 20

const decodeRecord = Schema.decodeUnknownOption(TelemetryRecord)

export interface LinedRecord {
  readonly record: TelemetryRecord
  readonly bytes: number
}

/** The records of a segment; what isn't one, or belongs elsewhere, counts as damaged. */
export const recordsOf = Effect.fnUntraced(function* (
  { lines, damaged }: ReadLines,
  { epoch, lane }: Pick<Span, "epoch" | "lane">
) {
  const records: Array<LinedRecord> = []
  const read = ({ value, bytes }: Line): void => {
    const record = Option.getOrUndefined(decodeRecord(value))
    if (record?.epoch === epoch && record.lane === lane) records.push({ record, bytes })
  }
  yield* eachInTurn(lines, read, ({ bytes }) => bytes)
  return { records, damaged: damaged + lines.length - records.length }
})

export const requestsIn = (record: TelemetryRecord): number => (record.lane === "analytics" ? requestsOf(record) : 0)

const spanOf = (records: ReadonlyArray<TelemetryRecord>): Span | undefined => {
  const [first, last] = [records[0], records.at(-1)]
  if (first === undefined || last === undefined) return undefined
  return {
    epoch: first.epoch,
    lane: first.lane,
    first: first.sequence,
    last: last.sequence,
    requests: records.reduce((sum, record) => sum + requestsIn(record), 0),
    firstEndMs: Math.floor(first.toMs),
    lastEndMs: Math.floor(last.toMs)
  }
}

export const pieceOf = (span: Span, bytes: number, where: Pick<Piece, "file" | "text">): Piece => ({
  ...span,
  ...where,
  bytes,
  failures: 0
})

/** Records in memory alone, as they will stand on disk. */
export const pieceInMemory = (records: ReadonlyArray<TelemetryRecord>): Piece | undefined => {
  const span = spanOf(records)
  if (span === undefined) return undefined
  const text = records.map(lineOf).join("")
  return pieceOf(span, text.length, { file: undefined, text })
}

/** Writes records as a sealed segment, whole or not at all. */
export const writeSealed = Effect.fnUntraced(function* (
  disk: Disk["Service"],
  folder: string,
  records: ReadonlyArray<TelemetryRecord>
) {
  const span = spanOf(records)
  if (span === undefined) return undefined
  const file = join(folder, sealedName(span))
  const bytes = bytesOf(heading + records.map(lineOf).join(""))
  yield* replaceFile(disk, { path: file, bytes, mode: ownerOnly })
  return pieceOf(span, bytes.length, { file, text: undefined })
})

export interface Adopting {
  readonly disk: Disk["Service"]
  readonly folder: string
  readonly ownEpoch: string
  /** A piece that can be offered from now on. */
  readonly found: (piece: Piece) => void
  readonly damaged: (path: string, lines: number) => Effect.Effect<void>
  /** A file that is left where it is, and why. */
  readonly leftAside: (path: string, reason: string) => Effect.Effect<void>
}

interface Named {
  readonly path: string
  readonly name: FileName
}

const kindsInOrder: ReadonlyArray<FileName["kind"]> = ["foreign", "unfinished", "sealed", "segment", "open"]

/** Says nothing about the file: the process is short of something, or the disk is silent. */
const passing: ReadonlySet<string> = new Set(["ETIMEDOUT", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR", "EBUSY"])
export const isPassing = ({ code }: DiskError): boolean => passing.has(code)

/** What fails for want of a writable disk, or of an answer, may succeed later; what can't be read may, but seldom. */
const isUnreadable = (error: DiskError): boolean =>
  !isPassing(error) && (error.operation === "read" || error.operation === "stat")

/** So often a file that can't be read is tried before it is left where it is. */
const triesMax = 3

/** May be run again where it failed, and goes on with what is left. */
export const makeAdoption = ({ disk, folder, ownEpoch, found, damaged, leftAside }: Adopting) => {
  /** The newest sequence of each epoch and lane that stands in a segment. */
  const newest = new Map<string, number>()
  const sealedPaths = new Set<string>()
  const failures = new Map<string, number>()

  const take = (piece: Piece): void => {
    if (piece.file === undefined || sealedPaths.has(piece.file)) return
    sealedPaths.add(piece.file)
    newest.set(laneKey(piece), Math.max(newest.get(laneKey(piece)) ?? 0, piece.last))
    found(piece)
  }

  const list = Effect.gen(function* () {
    const names = yield* Effect.catchIf(
      disk.list(folder),
      ({ code }) => code === "ENOENT",
      () => Effect.succeed<ReadonlyArray<string>>([])
    )
    return names
      .filter((name) => !name.startsWith(ownEpoch))
      .toSorted()
      .flatMap((each): ReadonlyArray<Named> => {
        const name = readName(each)
        return name === undefined ? [] : [{ path: join(folder, each), name }]
      })
  })

  const takeSealed = Effect.fnUntraced(function* (path: string, span: Span) {
    if (sealedPaths.has(path)) return
    const { sizeBytes } = yield* disk.stat(path)
    take(pieceOf(span, sizeBytes, { file: path, text: undefined }))
  })

  /** Nothing where another hand wrote it. */
  const linesOf = Effect.fnUntraced(function* (path: string) {
    const { bytes } = yield* disk.read(path, fileMaxBytes)
    const read = yield* readLines(bytes)
    if (read === undefined) yield* leftAside(path, "it does not begin as a file of the spool does")
    else if (read.damaged > 0) yield* damaged(path, read.damaged)
    return read
  })

  const sealRecords = Effect.fnUntraced(function* (records: ReadonlyArray<TelemetryRecord>) {
    const piece = yield* writeSealed(disk, folder, records)
    if (piece !== undefined) take(piece)
  })

  const sealSegment = Effect.fnUntraced(function* (path: string, of: Pick<Span, "epoch" | "lane">) {
    const lines = yield* linesOf(path)
    if (lines === undefined) return
    yield* sealRecords((yield* recordsOf(lines, of)).records.map(({ record }) => record))
    yield* removeFile(disk, path)
  })

  const isNew = (record: TelemetryRecord): boolean => record.sequence > (newest.get(laneKey(record)) ?? 0)

  const sealWindow = Effect.fnUntraced(function* (path: string) {
    const lines = yield* linesOf(path)
    if (lines === undefined) return
    const closed = yield* replayWindow(lines.lines)
    if (Option.isSome(closed)) {
      yield* sealRecords([closed.value.billing].filter(isNew))
      yield* sealRecords(closed.value.analytics.filter(isNew))
    }
    yield* removeFile(disk, path)
  })

  const one = ({ path, name }: Named): Effect.Effect<void, DiskError> => {
    if (name.kind === "foreign") return leftAside(path, "another version wrote it")
    if (name.kind === "unfinished") return removeFile(disk, path)
    if (name.kind === "sealed") return takeSealed(path, name.span)
    return name.kind === "segment" ? sealSegment(path, name) : sealWindow(path)
  }

  return Effect.gen(function* () {
    const all = yield* list
    let failed: DiskError | undefined
    // A file that fails keeps no other from being found.
    for (const kind of kindsInOrder) {
      for (const named of all.filter(({ name }) => name.kind === kind)) {
        yield* Effect.catch(one(named), (error) => {
          const count = (failures.get(named.path) ?? 0) + 1
          failures.set(named.path, count)
          if (isUnreadable(error) && count >= triesMax) return leftAside(named.path, error.message)
          failed ??= error
          return Effect.void
        })
      }
    }
    if (failed !== undefined) yield* Effect.fail(failed)
  })
}
