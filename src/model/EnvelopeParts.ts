/**
 * An envelope's text taken apart without being parsed as a whole: the table in front, its provenance under `_holdfast` at
 * the end, as `encodeCachedTable` writes them. A large table costs the thread next to nothing that way; and neither does a text
 * that somebody made to cost much, for a few kilobytes of gzip may become millions of objects when they are parsed.
 */
import { createHash } from "node:crypto"
import { provenanceKey } from "./ConfigTable.ts"
import { parseRecord, type Row } from "./Entity.ts"
import type { Steps } from "./steps.ts"

export interface EnvelopeParts {
  /** The table's text without its closing brace. */
  readonly tableHead: Uint8Array
  readonly provenance: Row
}

/** Within a string its quotes would be escaped, so this is always the name of a member. */
const member = `${JSON.stringify(provenanceKey)}:`

/** Many times what numbers, digests and as many signatures as are read take. */
export const provenanceMaxBytes = 64 * 1024

const ends = { comma: 0x2c, brace: 0x7b } as const

/** `undefined` for what is not written so, whatever it says, and for a provenance of more than 64 KiB. */
export const splitEnvelope = (text: Uint8Array): EnvelopeParts | undefined => {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength)
  const tailAt = Math.max(0, bytes.length - provenanceMaxBytes)
  const found = bytes.subarray(tailAt).lastIndexOf(member)
  const at = found === -1 ? -1 : tailAt + found
  const before = at < 1 ? undefined : bytes[at - 1]
  if (before !== ends.comma && !(before === ends.brace && at === 1)) return undefined
  // Only at the end of the outermost object does what follows parse once the last brace is off.
  const provenance = parseRecord(bytes.toString("utf8", at + member.length, bytes.length - 1))
  if (provenance === undefined || bytes.at(-1) !== "}".charCodeAt(0)) return undefined
  return { tableHead: bytes.subarray(0, before === ends.brace ? at : at - 1), provenance }
}

const bytesPerStep = 1_000_000

/** SHA-256 of bytes and the few that follow, in steps of a few milliseconds at most. */
export function* digestInSteps(bytes: Uint8Array, end: Uint8Array | string): Steps<string> {
  const hash = createHash("sha256")
  for (let at = 0; at < bytes.length; at += bytesPerStep) {
    hash.update(bytes.subarray(at, at + bytesPerStep))
    yield
  }
  return hash.update(end).digest("hex")
}

/** Of the table's text: of its canonical JSON, as far as it is that. */
export const digestOfTable = ({ tableHead }: EnvelopeParts): Steps<string> => digestInSteps(tableHead, "}")

const bitsPerByte = 8

/**
 * The table by itself, as Kong has it: a few spaces and tabs behind it are all that is added. They stand for `mark`, so that
 * tables of different marks are never the same bytes: a store may take two objects for one by their bytes alone.
 */
export const plainTable = ({ tableHead }: EnvelopeParts, mark: Uint8Array): Uint8Array => {
  const blanks = [...mark].flatMap((byte) =>
    Array.from({ length: bitsPerByte }, (_, bit) => ((byte >> bit) & 1 ? "\t" : " "))
  )
  return Buffer.concat([tableHead, Buffer.from(`}${blanks.join("")}\n`)])
}
