/**
 * What waits for an acknowledgement, as pieces: segments on disk, and what could not be written yet. Knows what comes first,
 * what goes first, and what has gone; asks no disk.
 */
import { type Drops, type Lane, laneKey } from "../../model/telemetry/TelemetryRecord.ts"
import type { Acknowledgement } from "../../services/TelemetrySpool.ts"
import type { Span } from "./names.ts"

/** A run of records of one epoch and lane. What was acknowledged of it is no longer in its span. */
export interface Piece extends Span {
  first: number
  last: number
  requests: number
  firstEndMs: number
  lastEndMs: number
  /** As on disk, whatever of it was acknowledged. */
  bytes: number
  /** Where it stands; `undefined` while it is in memory alone. */
  file: string | undefined
  /** Its lines, while it is in memory alone. */
  readonly text: string | undefined
  /** Requests by sequence, once somebody has read it. */
  known?: ReadonlyMap<number, number>
  /** How often it could not be read, and until when nobody tries again, by the monotonic clock. */
  failures: number
  readAgainAtMs?: number
}

export interface Bounds {
  readonly maxBytes: number
  readonly maxAgeMs: number
  /** Of what is in memory alone. */
  readonly memoryMaxBytes: number
}

const laneOrder: Readonly<Record<Lane, number>> = { billing: 0, analytics: 1 }

export const recordsIn = ({ first, last }: Span): number => last - first + 1

const isInMemory = ({ file }: Piece): boolean => file === undefined

export class Shelf {
  readonly #ownEpoch: string
  readonly #bounds: Bounds
  #pieces: Array<Piece> = []
  #isSorted = true
  /** When an epoch was first heard of, by the ends of its windows. */
  readonly #begins = new Map<string, number>()
  #droppedRecords = 0
  #droppedRequests = 0

  constructor(ownEpoch: string, bounds: Bounds) {
    this.#ownEpoch = ownEpoch
    this.#bounds = bounds
    this.#begins.set(ownEpoch, Number.POSITIVE_INFINITY)
  }

  get dropped(): Drops {
    return { records: this.#droppedRecords, requests: this.#droppedRequests }
  }

  /** In the order in which they are offered: billing first, older epochs first, then by sequence. */
  get pieces(): ReadonlyArray<Piece> {
    if (this.#isSorted) return this.#pieces
    const beginOf = ({ epoch }: Piece) => this.#begins.get(epoch) ?? 0
    this.#pieces = this.#pieces.toSorted(
      (a, b) =>
        laneOrder[a.lane] - laneOrder[b.lane] ||
        Math.sign(beginOf(a) - beginOf(b)) ||
        (a.epoch < b.epoch ? -1 : a.epoch > b.epoch ? 1 : 0) ||
        a.first - b.first
    )
    this.#isSorted = true
    return this.#pieces
  }

  get bytes(): number {
    return this.#pieces.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get records(): number {
    return this.#pieces.reduce((sum, piece) => sum + recordsIn(piece), 0)
  }

  get oldestMs(): number | undefined {
    return this.#pieces.reduce<number | undefined>(
      (oldest, { firstEndMs }) => (oldest === undefined || firstEndMs < oldest ? firstEndMs : oldest),
      undefined
    )
  }

  has(piece: Piece): boolean {
    return this.#pieces.includes(piece)
  }

  add(piece: Piece): void {
    const begin = this.#begins.get(piece.epoch)
    if (begin === undefined || piece.firstEndMs < begin) {
      if (piece.epoch !== this.#ownEpoch) this.#begins.set(piece.epoch, piece.firstEndMs)
    }
    this.#pieces.push(piece)
    this.#isSorted = false
  }

  remove(piece: Piece): void {
    this.#pieces = this.#pieces.filter((each) => each !== piece)
  }

  /** Gone without an acknowledgement. */
  drop(piece: Piece): void {
    this.remove(piece)
    this.countDropped(recordsIn(piece), piece.requests)
  }

  countDropped(records: number, requests: number): void {
    this.#droppedRecords += records
    this.#droppedRequests += requests
  }

  /** Forgets what was acknowledged; gives the pieces of which nothing is left. Sequences that nobody has seen mean nothing. */
  acknowledge(acknowledged: ReadonlyArray<Acknowledgement>): ReadonlyArray<Piece> {
    const upTo = new Map<string, number>()
    for (const { sequence, ...lane } of acknowledged)
      upTo.set(laneKey(lane), Math.max(upTo.get(laneKey(lane)) ?? 0, sequence))
    const done = new Set<Piece>()
    for (const piece of this.#pieces) {
      const sequence = upTo.get(laneKey(piece)) ?? 0
      if (piece.first > sequence) continue
      if (piece.last <= sequence) done.add(piece)
      else this.#cut(piece, sequence)
    }
    if (done.size > 0) this.#pieces = this.#pieces.filter((piece) => !done.has(piece))
    return [...done]
  }

  #cut(piece: Piece, upTo: number): void {
    for (let sequence = piece.first; sequence <= upTo; sequence++) piece.requests -= piece.known?.get(sequence) ?? 0
    piece.first = upTo + 1
  }

  /** Drops what is too old and what there is no room for, together with so many bytes more. Gives what was dropped. */
  makeRoom(more: number, nowMs: number): ReadonlyArray<Piece> {
    const { maxBytes, maxAgeMs, memoryMaxBytes } = this.#bounds
    const gone = new Set<Piece>()
    let bytes = this.bytes + more
    let memoryBytes = this.#pieces.reduce((sum, piece) => sum + (isInMemory(piece) ? piece.bytes : 0), 0)
    const isOld = ({ lastEndMs }: Piece) => lastEndMs < nowMs - maxAgeMs
    if (bytes <= maxBytes && memoryBytes <= memoryMaxBytes && !this.#pieces.some(isOld)) return []
    const dropWhile = (isDue: () => boolean, isMeant: (piece: Piece) => boolean): void => {
      for (const piece of inOrder) {
        if (!isDue()) return
        if (gone.has(piece) || !isMeant(piece)) continue
        gone.add(piece)
        bytes -= piece.bytes
        if (isInMemory(piece)) memoryBytes -= piece.bytes
      }
    }
    const inOrder = this.#droppable()
    dropWhile(() => true, isOld)
    dropWhile(
      () => bytes > maxBytes,
      () => true
    )
    dropWhile(() => memoryBytes > memoryMaxBytes, isInMemory)
    this.#pieces = this.#pieces.filter((piece) => !gone.has(piece))
    for (const piece of gone) this.countDropped(recordsIn(piece), piece.requests)
    return [...gone]
  }

  /** A segment of billing records of which all but the newest could go, where nothing else is left to go. */
  shrinkable(more: number): Piece | undefined {
    if (this.bytes + more <= this.#bounds.maxBytes) return undefined
    return this.pieces.find((piece) => piece.lane === "billing" && piece.file !== undefined && recordsIn(piece) > 1)
  }

  /** What may go, in the order in which it goes. The newest billing record of an epoch never does. */
  #droppable(): ReadonlyArray<Piece> {
    const newest = new Map<string, number>()
    const billing = this.pieces.filter(({ lane }) => lane === "billing")
    for (const { epoch, last } of billing) newest.set(epoch, Math.max(newest.get(epoch) ?? 0, last))
    const analytics = this.pieces.filter(({ lane }) => lane === "analytics")
    return [...analytics, ...billing.filter(({ epoch, last }) => last < (newest.get(epoch) ?? 0))]
  }
}
