/** From an object's bytes to an offer, and a look at how old it claims to be. */
import { Effect, Option } from "effect"
import { readOrigin, standingOfOrigin } from "../../model/CachedTable.ts"
import { hashTable } from "../../model/ConfigHash.ts"
import { orderOf, type Standing } from "../../model/ConfigOrder.ts"
import { isRecord } from "../../model/Entity.ts"
import { digestInSteps, splitEnvelope } from "../../model/EnvelopeParts.ts"
import { EnvelopeProtection } from "../../services/EnvelopeProtection.ts"
import type { Offer } from "../../services/LiveConfig.ts"
import type { StoredObject } from "../../services/ObjectStore.ts"
import { type EnvelopeOrigin, inflated, processed, readTableText } from "../../services/readEnvelope.ts"
import { takeTurns } from "../../services/takeTurns.ts"

const gzipMagic = [0x1f, 0x8b] as const

const isGzip = (bytes: Uint8Array): boolean => gzipMagic.every((byte, at) => bytes[at] === byte)

/**
 * Kong does not document its bytes (`resilience.md` §5.3): the table, or the message that it sends to data planes. What the
 * message calls it is anybody's word, and the digest is of the message.
 */
const unwrapped = (offer: Offer): Offer => {
  const { type, config_table: raw } = offer.raw
  if (type !== "reconfigure" || !isRecord(raw)) return offer
  const { sha256: _, ...told } = offer
  return { ...told, raw, hash: hashTable(raw).config }
}

/** Kong's own object: JSON, perhaps in gzip. */
export const readPlain = Effect.fnUntraced(function* (bytes: Uint8Array, origin: EnvelopeOrigin) {
  const text = isGzip(bytes) ? yield* inflated(bytes) : bytes
  const offer = yield* readTableText(text, origin)
  return yield* processed(() => unwrapped(offer))
})

const blanksAtEnd = /[ \t\n]{0,256}$/

/** Of the table's own text, when it is written as our exporters write it. */
export const digestOfPlain = (bytes: Uint8Array): Effect.Effect<string> => {
  const tailLength = 256
  const cut = Math.max(0, bytes.length - tailLength)
  const tail = Buffer.from(bytes.subarray(cut)).toString("latin1").replace(blanksAtEnd, "")
  return takeTurns(() => digestInSteps(bytes.subarray(0, cut), Buffer.from(tail, "latin1")))
}

/** What it says of its age; whether that is true is seen when it is offered. */
const claimedStanding = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const { unprotect } = yield* EnvelopeProtection
  const parts = splitEnvelope(yield* inflated(yield* unprotect(bytes)))
  const origin = parts === undefined ? undefined : readOrigin(parts.provenance)
  return origin?._tag === "Right" ? standingOfOrigin(origin) : undefined
})

const claimed = (bytes: Uint8Array) => Effect.map(Effect.option(claimedStanding(bytes)), Option.getOrUndefined)

/** Whether the first claims to be newer than the second. */
export const isNewer = Effect.fnUntraced(function* (a: StoredObject, b: StoredObject) {
  if (Buffer.compare(a.bytes, b.bytes) === 0) return false
  const standings: ReadonlyArray<Standing | undefined> = [yield* claimed(a.bytes), yield* claimed(b.bytes)]
  const [one, other] = standings
  return one !== undefined && other !== undefined && orderOf(one, other) === "newer"
})
