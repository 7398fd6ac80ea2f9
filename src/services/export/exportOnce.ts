/**
 * One configuration on its way to object storage (reference `resilience.md` §5.3): the envelope for its gateway version
 * first, then the plain table beside it, then the one for all versions. Encrypted, nothing is in plain but how old it is,
 * and that is written before what it dates, for whoever encrypts need not be able to read.
 *
 * It may be broken off anywhere, and be done again: each object is whole, and none goes back (`placeObject.ts`).
 */
import { createHash } from "node:crypto"
import { Data, Effect } from "effect"
import { readOrigin, standingOfOrigin } from "../../model/CachedTable.ts"
import type { Standing } from "../../model/ConfigOrder.ts"
import { isFreshTable } from "../../model/ConfigTable.ts"
import { type EnvelopeParts, plainTable, splitEnvelope } from "../../model/EnvelopeParts.ts"
import { contentTypes, latestKeys, type ScopeKeys, versionKeys } from "../../model/StorageKeys.ts"
import { Compression, inflatedMaxBytes } from "../Compression.ts"
import { ConfigEncoding, type Encodable } from "../ConfigEncoding.ts"
import { EnvelopeProtection, isEncrypted } from "../EnvelopeProtection.ts"
import type { ObjectStore, ObjectStoreTrouble } from "../ObjectStore.ts"
import { Settings } from "../Settings.ts"
import { judgeEnvelope, judgeStanding, type Lying } from "./lyingThere.ts"
import { type DatedObject, type FollowingObject, isSame, makePlacing, type Placed } from "./placeObject.ts"

export class ExportFailed extends Data.TaggedError("ExportFailed")<{
  /** For people; holds no secret. */
  readonly message: string
  /** Of the store, where it was the store. */
  readonly trouble?: ObjectStoreTrouble
  /** The same configuration would fail again. */
  readonly isFinal?: true
}> {}

/** What came of each object that was looked at, in order. */
export type ExportOutcome = ReadonlyArray<{ readonly key: string; readonly placed: Placed }>

interface Prepared {
  readonly parts: EnvelopeParts
  readonly standing: Standing
  readonly isEmpty: boolean
  /** As it goes to the store. */
  readonly envelope: Uint8Array
}

const impossible = (message: string) => Effect.die(new Error(message))

/** Of two configurations with different places in the order it is never the same. */
const markOf = ({ epoch, sequence, issuedAtMs, sha256 }: Standing): Uint8Array =>
  createHash("sha256")
    .update(JSON.stringify([epoch, sequence, issuedAtMs, sha256]))
    .digest()
    .subarray(0, 8)

const partsIn = Effect.fnUntraced(function* (encoded: Uint8Array) {
  const { gunzip } = yield* Compression
  const text = yield* Effect.mapError(
    gunzip(encoded, inflatedMaxBytes),
    ({ message }) => new ExportFailed({ message: `can't be read again (${message})` })
  )
  return splitEnvelope(text) ?? (yield* impossible("an encoded configuration has its provenance at its end"))
})

/** Gives what exports one configuration to this store; to be made once, for it keeps what need not be made again. */
export const makeExportOnce = Effect.fnUntraced(function* (store: ObjectStore) {
  const settings = yield* Settings
  const compression = yield* Compression
  const { encoded } = yield* ConfigEncoding
  const { isEncrypting, protect } = yield* EnvelopeProtection
  const { placeDated, obstacleTo, placeFollowing } = makePlacing(
    store,
    settings.cluster_fallback_config_export_conditional
  )
  const ofVersion = versionKeys(settings.kong_version)
  let protectedLast: { readonly encoded: Uint8Array; readonly envelope: Uint8Array } | undefined

  /** The envelope that was judged last: it lies in two places, and the own one is found there again and again. */
  let judgedLast: { readonly envelope: Uint8Array; readonly lying: Lying } | undefined

  const judgeOnce = Effect.fnUntraced(function* (envelope: Uint8Array) {
    if (judgedLast !== undefined && isSame(judgedLast.envelope, envelope)) return judgedLast.lying
    const lying = yield* judgeEnvelope(envelope)
    judgedLast = { envelope, lying }
    return lying
  })

  /** Encrypted anew it would be other bytes. */
  const protectOnce = Effect.fnUntraced(function* (bytes: Uint8Array) {
    if (protectedLast?.encoded === bytes) return protectedLast.envelope
    const envelope = yield* Effect.mapError(protect(bytes), ({ message }) => new ExportFailed({ message }))
    protectedLast = { encoded: bytes, envelope }
    return envelope
  })

  const prepare = Effect.fnUntraced(function* (snapshot: Encodable) {
    const bytes = yield* Effect.mapError(encoded(snapshot), ({ message, code }) =>
      code === undefined ? new ExportFailed({ message, isFinal: true }) : new ExportFailed({ message })
    )
    const parts = yield* partsIn(bytes)
    const origin = readOrigin(parts.provenance)
    if (origin._tag === "Wrong") return yield* impossible(origin.message)
    const standing = standingOfOrigin(origin)
    const prepared: Prepared = {
      parts,
      standing,
      isEmpty: isFreshTable(snapshot.raw),
      envelope: yield* protectOnce(bytes)
    }
    return prepared
  })

  const inPlain = ({ standing, isEmpty, envelope }: Prepared, { envelope: key }: ScopeKeys) => ({
    key,
    bytes: envelope,
    contentType: contentTypes.gzip,
    standing,
    isEmpty,
    judge: (found: Uint8Array) =>
      isSame(found, envelope) ? Effect.succeed<Lying>({ _tag: "Dated", standing }) : judgeOnce(found)
  })

  const standingObject = ({ parts, standing, isEmpty }: Prepared, keys: ScopeKeys): DatedObject<never> => ({
    key: keys.standing,
    bytes: new TextEncoder().encode(`${JSON.stringify(parts.provenance)}\n`),
    contentType: contentTypes.json,
    standing,
    isEmpty,
    judge: judgeStanding
  })

  /** Where others do not encrypt, what lies there may say its own age. */
  const encryptedObject = ({ envelope }: Prepared, { envelope: key }: ScopeKeys): FollowingObject<Compression> => ({
    key,
    bytes: envelope,
    contentType: contentTypes.gzip,
    judge: (found) => (isEncrypted(found) ? Effect.succeed<Lying>({ _tag: "Nothing" }) : judgeOnce(found))
  })

  const followingObject = (
    prepared: Prepared,
    keys: ScopeKeys & { readonly plain?: string }
  ): FollowingObject<Compression> | undefined => {
    if (isEncrypting) return encryptedObject(prepared, keys)
    if (keys.plain === undefined) return undefined
    const bytes = plainTable(prepared.parts, markOf(prepared.standing))
    return { key: keys.plain, bytes, contentType: contentTypes.json }
  }

  const isThere = ({ _tag }: Placed): boolean => _tag === "Written" || _tag === "There"

  const placeScope = Effect.fnUntraced(function* (prepared: Prepared, keys: ScopeKeys & { readonly plain?: string }) {
    const outcome: Array<ExportOutcome[number]> = []
    const dated = isEncrypting ? standingObject(prepared, keys) : inPlain(prepared, keys)
    const follows = followingObject(prepared, keys)
    const hindered = follows?.judge === undefined ? undefined : yield* obstacleTo<Compression>(follows, dated)
    if (follows !== undefined && hindered !== undefined) return [{ key: follows.key, placed: hindered }]
    const placed = yield* placeDated<Compression>(dated)
    outcome.push({ key: dated.key, placed })
    if (follows !== undefined && isThere(placed))
      outcome.push({ key: follows.key, placed: yield* placeFollowing<Compression>(follows, dated) })
    return outcome
  })

  return (snapshot: Encodable): Effect.Effect<ExportOutcome, ExportFailed> =>
    Effect.gen(function* () {
      const prepared = yield* prepare(snapshot)
      const outcome = [...(yield* placeScope(prepared, ofVersion)), ...(yield* placeScope(prepared, latestKeys))]
      // The next export most likely finds this one.
      judgedLast = { envelope: prepared.envelope, lying: { _tag: "Dated", standing: prepared.standing } }
      return outcome
    }).pipe(
      Effect.provideService(Compression, compression),
      Effect.catchTag("ObjectStoreError", ({ trouble, operation, key, message }) =>
        Effect.fail(new ExportFailed({ trouble, message: `${operation} ${key}: ${message}` }))
      )
    )
})
