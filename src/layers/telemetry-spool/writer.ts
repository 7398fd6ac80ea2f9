/**
 * The one fiber that writes: first what former lives have left, then windows that are over, then the one that is open. Where a
 * call fails it waits and tries again, from 1 s to 10 s; where the disk is silent it waits for it. Nobody waits for this fiber but a
 * flush, and that not for long.
 */
import { Effect, Latch } from "effect"
import type { Disk, DiskError } from "../../services/Disk.ts"
import { noAnswer } from "../../services/DiskSilence.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import { supervise } from "../../services/supervise.ts"
import { fileMaxBytes, makeAdoption, recordsOf, writeSealed } from "./adopt.ts"
import { lineOf, readLines } from "./lines.ts"
import type { OpenWindow } from "./OpenWindow.ts"
import { type Piece, recordsIn, type Shelf } from "./Shelf.ts"
import { makeSpoolFiles, removeFile } from "./spoolFiles.ts"
import type { Telling } from "./telling.ts"
import type { ClosedWindow, Windows } from "./windows.ts"

const flushIntervalMs = 1_000
const firstRetryMs = 1_000
const lastRetryMs = 10_000
/** An end leaves files open rather than wait longer. */
const closePatience = "1 second"

export interface WriterOptions {
  readonly disk: Disk["Service"]
  readonly silence: Effect.Effect<void>
  readonly folder: string
  readonly epoch: string
  readonly shelf: Shelf
  readonly windows: Windows
  readonly telling: Telling
  readonly nowMs: Effect.Effect<number>
  readonly segmentMaxBytes: number
  readonly logMaxBytes: number
  /** Something may have come to the shelf or have left it, or may be offered now, or is to be told. */
  readonly changed: () => void
}

export const makeWriter = Effect.fnUntraced(function* (options: WriterOptions) {
  const { disk, silence, folder, epoch, shelf, windows, telling, nowMs, changed } = options
  const files = makeSpoolFiles({
    ...options,
    logTaken: (window) => {
      windows.doubt(window)
      changed()
    }
  })
  const work = yield* Latch.make(true)
  /** Everything that was asked for is done, or could not be. */
  const isSettled = yield* Latch.make()
  const isUrgent = yield* Latch.make()
  /** Its last line was written, whatever became of that: a second one would count again. */
  let endedInLog: OpenWindow | undefined
  let isAdopted = false
  let isStuck = false
  let closed: ReadonlyArray<ClosedWindow> = []
  /** Pieces whose files nobody needs. */
  let gone: ReadonlyArray<Piece> = []
  let flushedAtMs = Number.NEGATIVE_INFINITY
  let retryMs = firstRetryMs

  const adopt = makeAdoption({
    disk,
    folder,
    ownEpoch: epoch,
    found: (piece) => {
      shelf.add(piece)
      changed()
    },
    damaged: telling.damaged,
    leftAside: telling.leftAside
  })

  const discard = (pieces: ReadonlyArray<Piece>): void => {
    if (pieces.length === 0) return
    gone = [...gone, ...pieces.filter(({ file }) => file !== undefined)]
    closed = closed.filter((each) => each.pieces.some((piece) => shelf.has(piece)))
    work.openUnsafe()
  }

  const removeGone = Effect.gen(function* () {
    yield* files.removeLitter
    for (let piece = gone[0]; piece !== undefined; piece = gone[0]) {
      yield* files.letGo(piece)
      if (piece.file !== undefined) yield* removeFile(disk, piece.file)
      const removed = piece
      gone = gone.filter((each) => each !== removed)
    }
  })

  /** Leaves the newest record of a segment of billing. */
  const shrink = Effect.fnUntraced(function* (piece: Piece) {
    yield* files.letGo(piece)
    const { bytes } = yield* disk.read(piece.file ?? "", fileMaxBytes)
    const lines = (yield* readLines(bytes)) ?? { lines: [], damaged: 0 }
    const { records } = yield* recordsOf(lines, piece)
    const newest = records.findLast(({ record }) => record.sequence <= piece.last)
    const sealed = newest && (yield* writeSealed(disk, folder, [newest.record]))
    if (sealed === undefined || !shelf.has(piece)) return
    shelf.remove(piece)
    shelf.add(sealed)
    shelf.countDropped(recordsIn(piece) - 1, 0)
    gone = [...gone, piece]
  })

  const makeRoom = Effect.fnUntraced(function* (more: number) {
    const dropped = shelf.makeRoom(more + files.logBytes(), yield* nowMs)
    discard(dropped)
    if (dropped.length > 0) yield* telling.dropped
    yield* removeGone
    for (let piece = shelf.shrinkable(more + files.logBytes()); piece !== undefined; ) {
      yield* shrink(piece)
      yield* telling.dropped
      yield* removeGone
      const next = shelf.shrinkable(more + files.logBytes())
      piece = next === piece ? undefined : next
    }
  })

  /** What its log lacks comes first: a crash between two segments must find the same window there. */
  const finishWindow = Effect.fnUntraced(function* ({ window, lastEntry, pieces }: ClosedWindow) {
    if (files.isLogOf(window) && endedInLog !== window) {
      endedInLog = window
      const line = lineOf(lastEntry)
      const write = Effect.andThen(files.writeOpen(window, line), files.flushLog)
      yield* Effect.ignore(Effect.andThen(makeRoom(line.length), write))
    }
    yield* makeRoom(0)
    for (const piece of pieces) yield* files.writePiece(piece)
    yield* files.removeLitter
    changed()
  })

  const writeOpen = Effect.gen(function* () {
    const window = windows.current()
    // What the last one's held stands in segments, or was acknowledged; the next one's takes its place.
    if (window === undefined) return yield* files.removeLog
    const entry = windows.collect(yield* nowMs)
    const line = entry === undefined ? undefined : lineOf(entry)
    if (line !== undefined) yield* Effect.tapError(makeRoom(line.length), () => files.leaveLog)
    yield* files.writeOpen(window, line)
    const now = yield* monotonicMs
    if (now - flushedAtMs < flushIntervalMs) return
    yield* files.flushLog
    flushedAtMs = now
  })

  const turn = Effect.gen(function* () {
    if (!isAdopted) yield* adopt
    isAdopted = true
    yield* removeGone
    for (let next = closed[0]; next !== undefined; next = closed[0]) {
      yield* finishWindow(next)
      const finished = next
      closed = closed.filter((each) => each !== finished)
    }
    yield* writeOpen
  })

  const stuck = Effect.gen(function* () {
    yield* silence
    isStuck = true
    yield* telling.trouble(noAnswer)
    changed()
    isSettled.openUnsafe()
    return yield* Effect.never
  })

  const failed = Effect.fnUntraced(function* ({ message }: DiskError) {
    yield* telling.trouble(message)
    changed()
    isSettled.openUnsafe()
    isUrgent.closeUnsafe()
    yield* Effect.raceFirst(Effect.sleep(retryMs), isUrgent.await)
    retryMs = Math.min(lastRetryMs, retryMs * 2)
    work.openUnsafe()
  })

  const succeeded = Effect.gen(function* () {
    retryMs = firstRetryMs
    yield* telling.isWell
    if (closed.length === 0 && gone.length === 0) isSettled.openUnsafe()
    else work.openUnsafe()
  })

  /** What was written waits for no further word to be flushed. */
  const untilWork = Effect.gen(function* () {
    if (files.isLogFlushed()) return yield* work.await
    const dueMs = flushedAtMs + flushIntervalMs - (yield* monotonicMs)
    // Whole milliseconds, rounded up: what is due in no time that a clock can tell would be asked for without end.
    yield* Effect.raceFirst(work.await, Effect.sleep(Math.max(1, Math.ceil(dueMs))))
  })

  const oneTurn = Effect.gen(function* () {
    yield* untilWork
    work.closeUnsafe()
    yield* Effect.matchEffect(Effect.raceFirst(turn, stuck), { onSuccess: () => succeeded, onFailure: failed })
    isStuck = false
  })

  yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(files.close), closePatience))
  yield* supervise("writing telemetry", Effect.forever(oneTurn))

  return {
    wake: () => void work.openUnsafe(),
    /** A window is over: its records are on the shelf. */
    finish: (window: ClosedWindow): void => {
      closed = [...closed, window]
      work.openUnsafe()
    },
    /** Pieces that were taken off the shelf. */
    discard,
    /** Waits until all is on disk, or it is plain that it can't be. */
    settled: Effect.suspend(() => {
      if (isStuck) return Effect.void
      isSettled.closeUnsafe()
      isUrgent.openUnsafe()
      work.openUnsafe()
      return isSettled.await
    }),
    logBytes: files.logBytes
  }
})
