/**
 * The form of the spool's files: one line says which form it is, and each further one holds a record: the length of its JSON,
 * the CRC-32 of it, and the JSON. A line that is damaged costs itself alone, for the next one begins at the next line break;
 * what follows the last line break was being written when the machine stopped.
 */
import { crc32 } from "node:zlib"
import { Effect } from "effect"

/** Part of the files' names and their first line. What another version wrote is left to it. */
export const formatVersion = 1

export const heading = `holdfast telemetry ${formatVersion}\n`

const sumOf = (json: string): string => crc32(json).toString(16).padStart(8, "0")

/** Every text in a record is ASCII: a character is a byte. */
export const lineOf = (record: unknown): string => {
  const json = JSON.stringify(record)
  return `${json.length} ${sumOf(json)} ${json}\n`
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1")

export interface Line {
  readonly value: unknown
  readonly bytes: number
}

export interface ReadLines {
  readonly lines: ReadonlyArray<Line>
  /** How many lines were skipped for what they are. */
  readonly damaged: number
}

const readLine = (text: string): Line | undefined => {
  const [, length, sum, json = ""] = /^(\d+) ([0-9a-f]{8}) (.*)$/.exec(text) ?? []
  if (Number(length) !== json.length || sum !== sumOf(json)) return undefined
  return { value: JSON.parse(json), bytes: text.length + 1 }
}

/** So much is read before others get their turn: a segment, or the log of a wide window, would hold up requests. */
const bytesAtOnce = 32_768

/** What is made of each item, with a rest after so many bytes of them. */
export const eachInTurn = Effect.fnUntraced(function* <A>(
  items: ReadonlyArray<A>,
  use: (item: A) => void,
  bytesOfItem: (item: A) => number
) {
  let bytes = 0
  for (const item of items) {
    use(item)
    bytes += bytesOfItem(item)
    if (bytes < bytesAtOnce) continue
    bytes = 0
    yield* Effect.yieldNow
  }
})

/** Of the heading, what a power cut left: whole, or with zeros where bytes had not arrived. */
const isHeading = (text: string): boolean =>
  [...heading].every((character, at) => text[at] === character || text[at] === "\0" || text[at] === undefined)

/** `undefined` when it begins with anything but this version's heading. Where that is torn, what follows its line is read. */
export const readLines = Effect.fnUntraced(function* (bytes: Uint8Array): Effect.fn.Return<ReadLines | undefined> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
  if (!isHeading(text)) return undefined
  const parts = text.slice(heading.length).split("\n").slice(0, -1)
  const good: Array<Line> = []
  const read = (part: string): void => {
    const line = readLine(part)
    if (line !== undefined) good.push(line)
  }
  yield* eachInTurn(parts, read, (part) => part.length)
  return { lines: good, damaged: parts.length - good.length }
})
