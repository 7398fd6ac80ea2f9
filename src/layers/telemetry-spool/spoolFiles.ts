/**
 * The files that this life of the process writes: the log of the open window, and the segment of each lane that is appended
 * to. A file into which a write or a flush failed is not written to again, for nobody knows what is in it: the same
 * lines go into a new one.
 */
import { join } from "node:path"
import { Effect } from "effect"
import type { Lane } from "../../model/telemetry/TelemetryRecord.ts"
import { besideOf, type Disk, type DiskError, type OpenFile } from "../../services/Disk.ts"
import { bytesOf, heading, lineOf } from "./lines.ts"
import { openName, sealedName, segmentName } from "./names.ts"
import type { OpenWindow } from "./OpenWindow.ts"
import type { Piece, Shelf } from "./Shelf.ts"

export const ownerOnly = 0o600

interface WindowLog {
  readonly window: OpenWindow
  readonly file: OpenFile
  bytes: number
  isFlushed: boolean
}

interface Segment {
  readonly piece: Piece
  readonly path: string
  readonly file: OpenFile
}

export interface SpoolFilesOptions {
  readonly disk: Disk["Service"]
  readonly folder: string
  readonly epoch: string
  readonly shelf: Shelf
  readonly segmentMaxBytes: number
  readonly logMaxBytes: number
  /** The log of this window was taken away by another hand. */
  readonly logTaken: (window: OpenWindow) => void
}

export const makeSpoolFiles = (options: SpoolFilesOptions) => {
  const { disk, folder, epoch, shelf, segmentMaxBytes, logMaxBytes, logTaken } = options
  const logPath = join(folder, openName(epoch))
  let log: WindowLog | undefined
  let isLogThere = false
  /** The window that is too large for a log. */
  let unlogged: OpenWindow | undefined
  /** Files with nothing in them that counts, which may hold the last bytes of a full disk. */
  const litter = new Set<string>()
  const segments = new Map<Lane, Segment>()

  const leave = ({ file }: { readonly file: OpenFile }) => Effect.ignore(file.close)

  const leaveLog = Effect.suspend(() => {
    const former = log
    log = undefined
    return former === undefined ? Effect.void : leave(former)
  })

  const leaveSegment = (segment: Segment) => {
    segments.delete(segment.piece.lane)
    return leave(segment)
  }

  // --- the open window ---

  /** Where that fails, it is still there. */
  const removeLog = Effect.gen(function* () {
    yield* leaveLog
    if (!isLogThere) return
    yield* removeFile(disk, logPath)
    isLogThere = false
  })

  /** In the place of the former log in one step: what that held stands in segments by now. */
  const beginLog = Effect.fnUntraced(function* (window: OpenWindow) {
    yield* leaveLog
    const bytes = bytesOf(heading + lineOf(window.head) + lineOf(window.whole()))
    unlogged = bytes.length > logMaxBytes ? window : undefined
    if (unlogged !== undefined) return yield* removeLog
    yield* disk.makeFolder(folder)
    const beside = besideOf(logPath)
    const file = yield* disk.create(beside, ownerOnly)
    litter.add(beside)
    const renamed = Effect.sync(() => {
      litter.delete(beside)
      isLogThere = true
    })
    yield* file.write(bytes).pipe(
      Effect.andThen(file.sync),
      Effect.andThen(disk.rename(beside, logPath)),
      Effect.tap(() => renamed),
      Effect.andThen(disk.syncFolder(folder)),
      Effect.tapError(() => leave({ file }))
    )
    log = { window, file, bytes: bytes.length, isFlushed: true }
  })

  /**
   * Brings what was added to the window into its log; the whole window, where that has none yet, or one that grew too long. A
   * window that is too large even so has none, and is written when it is over.
   */
  const writeOpen = Effect.fnUntraced(function* (window: OpenWindow, line: string | undefined) {
    if (unlogged === window) return
    const bytes = line === undefined ? undefined : bytesOf(line)
    if (log === undefined || log.window !== window) return yield* beginLog(window)
    if (bytes === undefined) return
    if (log.bytes + bytes.length > logMaxBytes) return yield* beginLog(window)
    log.isFlushed = false
    log.bytes += bytes.length
    yield* Effect.tapError(log.file.write(bytes), () => leaveLog)
  })

  /** A file that a hand removed, or another process on the same prefix took for left behind, is written to no further. */
  const isThere = (path: string): Effect.Effect<boolean, DiskError> =>
    disk.stat(path).pipe(
      Effect.as(true),
      Effect.catchIf(
        ({ code }) => code === "ENOENT",
        () => Effect.succeed(false)
      )
    )

  const flushLog = Effect.gen(function* () {
    const current = log
    if (current === undefined || current.isFlushed) return
    yield* Effect.tapError(current.file.sync, () => leaveLog)
    current.isFlushed = true
    if (yield* isThere(logPath)) return
    logTaken(current.window)
    yield* leaveLog
  })

  // --- segments ---

  /** A segment that holds nothing yet, not even its name on the shelf. */
  const beginSegment = Effect.fnUntraced(function* (like: Piece) {
    yield* disk.makeFolder(folder)
    const path = join(folder, segmentName(like))
    const file = yield* disk.create(path, ownerOnly)
    const bytes = bytesOf(heading)
    const piece: Piece = {
      ...like,
      last: like.first - 1,
      requests: 0,
      bytes: bytes.length,
      file: path,
      text: undefined
    }
    const segment = { piece, path, file }
    segments.set(like.lane, segment)
    yield* Effect.tapError(file.write(bytes), () => giveUp(segment))
    return segment
  })

  const giveUp = (segment: Segment) => {
    if (!shelf.has(segment.piece)) litter.add(segment.path)
    return leaveSegment(segment)
  }

  const removeLitter = Effect.gen(function* () {
    for (const path of litter) {
      yield* removeFile(disk, path)
      litter.delete(path)
    }
  })

  /** Nothing has been settled in it yet. */
  const isEmpty = ({ first, last }: Piece): boolean => last < first

  const isOver = ({ piece }: Segment): boolean =>
    piece.bytes >= segmentMaxBytes || !(isEmpty(piece) || shelf.has(piece))

  /** Nobody appends to it any more; under a name that says so a start need not read it. */
  const seal = Effect.fnUntraced(function* (segment: Segment) {
    yield* leaveSegment(segment)
    const { piece, path } = segment
    if (!shelf.has(piece)) return
    const sealed = join(folder, sealedName(piece))
    const renamed = yield* Effect.exit(disk.rename(path, sealed))
    if (renamed._tag === "Success") piece.file = sealed
  })

  const segmentFor = Effect.fnUntraced(function* (piece: Piece) {
    const current = segments.get(piece.lane)
    if (current === undefined) return yield* beginSegment(piece)
    if (!isOver(current)) {
      const isStill = yield* isThere(current.path)
      // All that it held may have been acknowledged meanwhile.
      if (isStill && !isOver(current)) return current
      if (!isStill) yield* leaveSegment(current)
    }
    if (segments.get(piece.lane) === current) yield* seal(current)
    return yield* beginSegment(piece)
  })

  /** The piece is on disk from here on: part of a segment. */
  const settle = ({ piece: held }: Segment, piece: Piece): void => {
    shelf.remove(piece)
    const isFirst = isEmpty(held)
    if (isFirst) Object.assign(held, { first: piece.first, firstEndMs: piece.firstEndMs })
    held.last = piece.last
    held.requests += piece.requests
    held.bytes += piece.bytes
    held.lastEndMs = piece.lastEndMs
    if (isFirst) shelf.add(held)
  }

  /** Brings a piece that is in memory alone to disk, for good. What was acknowledged or dropped meanwhile stays away. */
  const writePiece = Effect.fnUntraced(function* (piece: Piece): Effect.fn.Return<void, DiskError> {
    if (!shelf.has(piece)) return
    const segment = yield* segmentFor(piece)
    const isNewName = isEmpty(segment.piece)
    yield* segment.file.write(bytesOf(piece.text ?? "")).pipe(
      Effect.andThen(segment.file.sync),
      Effect.andThen(isNewName ? disk.syncFolder(folder) : Effect.void),
      Effect.tapError(() => giveUp(segment))
    )
    // All that the segment held went meanwhile, acknowledged say, and its file goes next, with this piece in it.
    if (shelf.has(piece) && !isNewName && !shelf.has(segment.piece)) return yield* writePiece(piece)
    if (shelf.has(piece)) settle(segment, piece)
    else if (!shelf.has(segment.piece)) yield* giveUp(segment)
  })

  return {
    writeOpen,
    /** A line is missing in the log: the next one begins with the whole window. */
    leaveLog,
    flushLog,
    removeLog,
    writePiece,
    removeLitter,
    isLogOf: (window: OpenWindow): boolean => log?.window === window,
    logBytes: () => log?.bytes ?? 0,
    isLogFlushed: () => log === undefined || log.isFlushed,
    /** The file of a piece is about to go: nothing is appended to it any more. */
    letGo: (piece: Piece) => {
      const segment = segments.get(piece.lane)
      return segment?.piece === piece ? leaveSegment(segment) : Effect.void
    },
    close: Effect.suspend(() =>
      Effect.andThen(
        leaveLog,
        Effect.forEach([...segments.values()], (segment) => leaveSegment(segment))
      )
    )
  }
}

/** Whatever of it went wrong shows in the next write; nothing else is lost by it. */
export const removeFile = (disk: Disk["Service"], path: string): Effect.Effect<void, DiskError> =>
  Effect.catchIf(
    disk.remove(path),
    ({ code }) => code === "ENOENT",
    () => Effect.void
  )
