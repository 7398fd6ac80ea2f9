/**
 * The rung of object storage (reference `resilience.md` §5.3 and §5.4): the envelope for all versions and the one for this
 * version, the newer one first; then the plain table of this version, which is all that an exporter of Kong's writes.
 * Nothing is written here, whatever is wrong with what lies there.
 */
import { Effect } from "effect"
import { type Fault, formatFault } from "../../model/Fault.ts"
import { latestKeys, versionKeys } from "../../model/StorageKeys.ts"
import { type Compression, inflatedMaxBytes } from "../../services/Compression.ts"
import type { Offer } from "../../services/LiveConfig.ts"
import { ConfigStorage, type ObjectStore, type StoredObject } from "../../services/ObjectStore.ts"
import type { Rung, RungAnswer } from "../../services/Rung.ts"
import { type EnvelopeOrigin, type EnvelopeRefused, readEnvelope } from "../../services/readEnvelope.ts"
import { Settings } from "../../services/Settings.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { digestOfPlain, isNewer, readPlain } from "./readCandidate.ts"
import { makeRefusedObjects } from "./refusedObjects.ts"

/** Room for the gzip of what is as large as it may be. */
const objectMaxBytes = inflatedMaxBytes + 1_000_000

/** Where the latest is there already, the other one is worth this much of the patience that the ladder has for both. */
const secondPatienceMs = 5_000

const tooSlow = `no answer in ${secondPatienceMs / 1000} s`

/** There is no use in asking for another object. */
const troublesOfStore = new Set(["unavailable", "misconfigured", "unsupported"])

type Needs = Settings | Compression

interface Found {
  readonly key: string
  readonly object: StoredObject
}

/** What came of looking for one object: it is there, or why it is of no use, which may be true of all. */
type Look = Found | { readonly key: string; readonly reason: string; readonly isOfStore: boolean }

const isFound = (look: Look): look is Found => "object" in look

interface Reader {
  readonly read: (bytes: Uint8Array, origin: EnvelopeOrigin) => Effect.Effect<Offer, EnvelopeRefused, Needs>
  /** Of its content, where that is told without reading it. */
  readonly digest?: (bytes: Uint8Array) => string
}

const envelopeReader: Reader = { read: readEnvelope }
const plainReader: Reader = { read: readPlain, digest: digestOfPlain }

/** One go through what lies there. */
interface Go {
  /** Looked for when their turn comes. */
  readonly rest: ReadonlyArray<Effect.Effect<readonly [Look, Reader]>>
  /** Of what was passed over without being told. */
  readonly reasons: ReadonlyArray<string>
  /** Digests of what is wrong whoever vouches for it. */
  readonly wrong: ReadonlySet<string>
}

/** All of it was told when it was refused; the object is named beside it. */
const shownFaultsMax = 3

const inShort = (faults: ReadonlyArray<Fault>): string =>
  faults
    .slice(0, shownFaultsMax)
    .map(({ place: _, ...fault }) => formatFault(fault))
    .join("; ")

const wrongStages = new Set(["schema", "compile"])

const makeRung = Effect.fnUntraced(function* (store: ObjectStore) {
  const { kong_version } = yield* Settings
  const clock = yield* TrustedClock
  const needs = yield* Effect.context<Needs>()
  const refusedObjects = makeRefusedObjects()
  const ofVersion = versionKeys(kong_version)
  const placeOf = (key: string) => `${store.place}/${key}`

  const look = Effect.fnUntraced(function* (key: string): Effect.fn.Return<Look> {
    const known = yield* refusedObjects.unchangedYet(key)
    if (known !== undefined) return { key, reason: known, isOfStore: false }
    const read = yield* Effect.result(store.read(key, objectMaxBytes))
    if (read._tag === "Failure")
      return { key, reason: read.failure.message, isOfStore: troublesOfStore.has(read.failure.trouble) }
    const object = read.success
    if (object === undefined) return { key, reason: "there is no such object", isOfStore: false }
    const reason = yield* refusedObjects.reasonOf(key, object.tag)
    return reason === undefined ? { key, object } : { key, reason, isOfStore: false }
  })

  const nothing = (reasons: ReadonlyArray<string>): RungAnswer => ({
    _tag: "Nothing",
    reason: reasons.length === 0 ? `nothing else lies in ${store.place}` : `${store.place}: ${reasons.join("; ")}`
  })

  const passOver = (go: Go, key: string, reason: string): Effect.Effect<RungAnswer> =>
    advance({ ...go, reasons: [...go.reasons, `${key}: ${reason}`] })

  const candidate = ({ key, object }: Found, offer: Offer, digest: string | undefined, go: Go): RungAnswer => ({
    _tag: "Candidate",
    offer,
    served: Effect.void,
    refused: ({ stage = "", faults }) =>
      Effect.andThen(
        refusedObjects.remember(key, object.tag, inShort(faults)),
        advance(wrongStages.has(stage) && digest !== undefined ? { ...go, wrong: new Set([...go.wrong, digest]) } : go)
      )
  })

  const unusable = ({ key, object }: Found, { stage, message }: EnvelopeRefused, go: Go): RungAnswer => {
    const fault: Fault = { path: [], place: placeOf(key), message }
    const next = Effect.andThen(refusedObjects.remember(key, object.tag, message), advance(go))
    return { _tag: "Unusable", stage, faults: [fault], next }
  }

  const consider = Effect.fnUntraced(function* (found: Found, { read, digest }: Reader, go: Go) {
    const { key, object } = found
    const early = digest?.(object.bytes)
    const nowMs = yield* clock.nowMs
    const same = (sha256: string | undefined) => sha256 !== undefined && go.wrong.has(sha256)
    const sameReason = "the same content was refused already"
    if (same(early)) return yield* passOver(go, key, sameReason)
    const offered = yield* read(object.bytes, { source: "object_storage", place: placeOf(key), nowMs }).pipe(
      Effect.provide(needs),
      Effect.result
    )
    if (offered._tag === "Failure") return unusable(found, offered.failure, go)
    const { success: offer } = offered
    return same(offer.sha256)
      ? yield* passOver(go, key, sameReason)
      : candidate(found, offer, offer.sha256 ?? early, go)
  })

  const advance = (go: Go): Effect.Effect<RungAnswer> =>
    Effect.gen(function* () {
      const [first, ...rest] = go.rest
      if (first === undefined) return nothing(go.reasons)
      const [seen, reader] = yield* first
      return yield* isFound(seen)
        ? consider(seen, reader, { ...go, rest })
        : passOver({ ...go, rest }, seen.key, seen.reason)
    })

  const plainTurn = Effect.map(
    Effect.suspend(() => look(ofVersion.plain)),
    (seen) => [seen, plainReader] as const
  )

  const offer = Effect.gen(function* () {
    const latest = yield* look(latestKeys.envelope)
    if (!isFound(latest) && latest.isOfStore) return nothing([`${latest.key}: ${latest.reason}`])
    const second = look(ofVersion.envelope)
    const own = yield* isFound(latest)
      ? Effect.timeoutOrElse(second, {
          duration: secondPatienceMs,
          orElse: () => Effect.succeed<Look>({ key: ofVersion.envelope, reason: tooSlow, isOfStore: false })
        })
      : second
    const isOwnFirst =
      isFound(own) && isFound(latest) && (yield* isNewer(own.object, latest.object).pipe(Effect.provide(needs)))
    const envelopes = (isOwnFirst ? [own, latest] : [latest, own]).map((seen) =>
      Effect.succeed([seen, envelopeReader] as const)
    )
    return yield* advance({ rest: [...envelopes, plainTurn], reasons: [], wrong: new Set() })
  })

  return { source: "object_storage", offer } satisfies Rung
})

/** None where no setting asks for one. */
export const objectStorageRungs = Effect.gen(function* () {
  const settings = yield* Settings
  const store = yield* ConfigStorage
  if (store === undefined || !settings.cluster_fallback_config_import) return [] as ReadonlyArray<Rung>
  return [yield* makeRung(store)] as ReadonlyArray<Rung>
})
