/**
 * Reads what waits, in the order in which it is offered. What can't be read is tried again after a while; where the disk fails
 * again and again it is left where it is, for the next life to try.
 */
import { Effect } from "effect"
import { laneKey, type TelemetryRecord } from "../../model/telemetry/TelemetryRecord.ts"
import type { Disk, DiskError } from "../../services/Disk.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import { fileMaxBytes, isPassing, type LinedRecord, recordsOf, requestsIn } from "./adopt.ts"
import { bytesOf, heading, readLines } from "./lines.ts"
import type { Piece, Shelf } from "./Shelf.ts"

/** So often a segment that can't be read is tried before it is given up. */
const triesMax = 3
export const readAgainAfterMs = 5_000

export interface ReadingOptions {
  /** Whose looks fail once it is silent. */
  readonly disk: Disk["Service"]
  readonly shelf: Shelf
  /** What is in memory alone is offered only while it can't be written: else a crash could change it. */
  readonly offersMemory: () => boolean
  /** Records of a piece that are lost, and why. */
  readonly lost: (piece: Piece, records: number, reason: string) => Effect.Effect<void>
  /** The piece is gone, and its file with it. */
  readonly forget: (piece: Piece) => void
  /** The piece is gone, and its file stays. */
  readonly leaveAside: (piece: Piece) => void
}

export interface Gathered {
  readonly batch: ReadonlyArray<TelemetryRecord>
  /** Something could not be read now. */
  readonly isHindered: boolean
}

export const makeReading = ({ disk, shelf, offersMemory, lost, forget, leaveAside }: ReadingOptions) => {
  /** The one that was read last: it is asked for again until all of it is acknowledged. */
  let read: { readonly piece: Piece; readonly bytes: number; readonly records: ReadonlyArray<LinedRecord> } | undefined

  const isIn = ({ first, last }: Piece, { record: { sequence } }: LinedRecord) => sequence >= first && sequence <= last

  /**
   * What is missing of the piece up to `last` was damaged: it is counted once, for the piece shrinks by it. What came behind that
   * since its file was read may not have been there yet.
   */
  const judge = Effect.fnUntraced(function* (piece: Piece, last: number, all: ReadonlyArray<LinedRecord>) {
    const records = all.filter((each) => isIn(piece, each) && each.record.sequence <= last)
    const missing = last - piece.first + 1 - new Set(records.map(({ record }) => record.sequence)).size
    if (missing > 0 && piece.known === undefined) {
      yield* lost(piece, missing, "damaged")
      if (records.length === 0) forget(piece)
    }
    piece.known = new Map(records.map(({ record }) => [record.sequence, requestsIn(record)]))
    return records
  })

  const contentOf = (piece: Piece): Effect.Effect<Uint8Array, DiskError> =>
    piece.file === undefined
      ? Effect.succeed(bytesOf(heading + (piece.text ?? "")))
      : Effect.map(disk.read(piece.file, fileMaxBytes), ({ bytes }) => bytes)

  /** Nothing of a piece that is gone; `undefined` when it can't be read now. */
  const failed = Effect.fnUntraced(function* (piece: Piece, file: string | undefined, error: DiskError) {
    // Acknowledged meanwhile, or sealed under another name.
    if (!shelf.has(piece) || piece.file !== file) return undefined
    piece.readAgainAtMs = (yield* monotonicMs) + readAgainAfterMs
    if (isPassing(error)) return undefined
    piece.failures++
    const isGone = error.code === "ENOENT"
    if (!isGone && piece.failures < triesMax) return undefined
    yield* lost(piece, piece.last - piece.first + 1, error.message)
    if (isGone) forget(piece)
    else leaveAside(piece)
    return []
  })

  const readPiece = Effect.fnUntraced(function* (piece: Piece) {
    if (read?.piece === piece && read.bytes === piece.bytes) return read.records.filter((each) => isIn(piece, each))
    if ((piece.readAgainAtMs ?? 0) > (yield* monotonicMs)) return undefined
    const { file, bytes, last } = piece
    const content = yield* Effect.catch(contentOf(piece), (error) => failed(piece, file, error))
    if (!(content instanceof Uint8Array)) return content
    piece.failures = 0
    const lines = (yield* readLines(content)) ?? { lines: [], damaged: 0 }
    const records = yield* judge(piece, last, (yield* recordsOf(lines, piece)).records)
    read = { piece, bytes, records }
    return records
  })

  /** Up to about so many bytes of records. Where one can't be read, none that follows it in its epoch and lane is given. */
  return Effect.fnUntraced(function* (maxBytes: number): Effect.fn.Return<Gathered> {
    const batch: Array<TelemetryRecord> = []
    const blocked = new Set<string>()
    const newest = new Map<string, number>()
    let isHindered = false
    let room = maxBytes
    for (const piece of [...shelf.pieces]) {
      const key = laneKey(piece)
      if (blocked.has(key)) continue
      const isOffered = piece.file !== undefined || offersMemory()
      const records = isOffered ? yield* readPiece(piece) : undefined
      if (records === undefined) blocked.add(key)
      isHindered ||= isOffered && records === undefined
      for (const { record, bytes } of records ?? []) {
        if (record.sequence <= (newest.get(key) ?? 0)) continue
        if (batch.length > 0 && bytes > room) return { batch, isHindered }
        newest.set(key, record.sequence)
        batch.push(record)
        room -= bytes
      }
      if (room <= 0) return { batch, isHindered }
    }
    return { batch, isHindered }
  })
}
