/**
 * gzip for worlds in which a thousand nodes compress the same text but for a time stamp: what an input shares with a
 * former one, at its beginning or at its end, is compressed once, and the rest is stored as it is. Any reader of gzip
 * reads what comes out: compressed blocks and stored ones may follow each other (RFC 1951 §3.2).
 */
import { constants, crc32, deflateRawSync } from "node:zlib"

const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
/** A stored block holds so many bytes. */
const storedMax = 0xffff
/** Ends on a byte and looks back at nothing that comes before: may stand anywhere. */
const flushed = { level: 1, finishFlush: constants.Z_FULL_FLUSH }
/** An input that shares less than this with a former one is compressed anew. */
const shareMin = 1_024
/** What two inputs share by chance (the first digits of two times) others may not. */
const margin = 64
const piecesMax = 16

interface Piece {
  readonly where: "start" | "end"
  readonly plain: Uint8Array
  readonly deflated: Uint8Array
}

const stored = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const parts: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += storedMax) {
    const block = bytes.subarray(at, at + storedMax)
    const blockHead = Buffer.alloc(5)
    blockHead.writeUInt16LE(block.length, 1)
    blockHead.writeUInt16LE(~block.length & 0xffff, 3)
    parts.push(blockHead, block)
  }
  return parts
}

/** A stored block of nothing that says that it is the last. */
const lastBlock = Buffer.from([1, 0, 0, 0xff, 0xff])

const wrapped = (bytes: Uint8Array, blocks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const tail = Buffer.alloc(8)
  tail.writeUInt32LE(crc32(bytes), 0)
  tail.writeUInt32LE(bytes.length % 2 ** 32, 4)
  return Buffer.concat([head, ...blocks, lastBlock, tail])
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const fits = ({ where, plain }: Piece, bytes: Uint8Array): boolean =>
  plain.length <= bytes.length &&
  isSame(where === "start" ? bytes.subarray(0, plain.length) : bytes.subarray(bytes.length - plain.length), plain)

const commonStart = (a: Uint8Array, b: Uint8Array): number => {
  const end = Math.min(a.length, b.length)
  let at = 0
  while (at < end && a[at] === b[at]) at++
  return at
}

const commonEnd = (a: Uint8Array, b: Uint8Array): number => {
  const end = Math.min(a.length, b.length)
  let count = 0
  while (count < end && a[a.length - 1 - count] === b[b.length - 1 - count]) count++
  return count
}

export const makeSharedGzip = (): ((bytes: Uint8Array) => Uint8Array) => {
  let pieces: ReadonlyArray<Piece> = []
  let former: Uint8Array = new Uint8Array(0)

  const learn = (bytes: Uint8Array): Piece | undefined => {
    const atStart = commonStart(bytes, former)
    const atEnd = commonEnd(bytes, former)
    const where = atStart >= atEnd ? "start" : "end"
    const count = Math.max(atStart, atEnd) - margin
    if (count < shareMin) return undefined
    const plain = where === "start" ? bytes.slice(0, count) : bytes.slice(bytes.length - count)
    const piece: Piece = { where, plain, deflated: deflateRawSync(plain, flushed) }
    pieces = [piece, ...pieces].slice(0, piecesMax)
    return piece
  }

  return (bytes) => {
    const piece = pieces.find((known) => fits(known, bytes)) ?? learn(bytes)
    former = bytes
    if (piece === undefined) return wrapped(bytes, bytes.length === 0 ? [] : [deflateRawSync(bytes, flushed)])
    const { where, plain, deflated } = piece
    return where === "start"
      ? wrapped(bytes, [deflated, ...stored(bytes.subarray(plain.length))])
      : wrapped(bytes, [...stored(bytes.subarray(0, bytes.length - plain.length)), deflated])
  }
}
