/**
 * The rung of object storage (reference `resilience.md` §5.3 and §5.4): the envelope for all versions and the one for this
 * version, the newer one first; then the plain table of this version, which is all that an exporter of Kong's writes.
 * Nothing is written here, whatever is wrong with what lies there.
 */
import { Effect, SubscriptionRef } from "effect"
import { mayReplace, showStanding } from "../../model/ConfigOrder.ts"
import { standingIn } from "../../model/ConfigStatement.ts"
import { type Fault, formatFault } from "../../model/Fault.ts"
import { latestKeys, versionKeys } from "../../model/StorageKeys.ts"
import { type Compression, deflatedMaxBytes } from "../../services/Compression.ts"
import { LiveConfig, type LiveState, type Offer } from "../../services/LiveConfig.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import { ConfigStorage, type ObjectStore, type StoredObject } from "../../services/ObjectStore.ts"
import type { Rung, RungAnswer } from "../../services/Rung.ts"
import { type EnvelopeOrigin, type EnvelopeRefused, readEnvelope } from "../../services/readEnvelope.ts"
import { Settings } from "../../services/Settings.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { digestOfPlain, isNewer, readPlain } from "./readCandidate.ts"
import { makeRefusedObjects } from "./refusedObjects.ts"

/** What the ladder has for all that is looked at before an answer, with some seconds left to unpack and read it. */
const patienceMs = 25_000
/** Where the latest is there already, the other one is worth this much of it. */
const secondPatienceMs = 5_000

const tooSlow = "no answer in the time that was left for it"

/** There is no use in asking for another object. */
const troublesOfStore = new Set(["unavailable", "misconfigured", "unsupported"])

type Needs = Settings | Compression

interface Found {
  readonly key: string
  readonly object: StoredObject
}

/** What came of looking for one object: it is there, or why it is of no use, which may be true of all. */
type Look = Found | Missing

interface Missing {
  readonly key: string
  readonly reason: string
  readonly isOfStore?: boolean
  readonly isOutranked?: boolean
}

const isFound = (look: Look): look is Found => "object" in look

interface Reader {
  readonly read: (bytes: Uint8Array, origin: EnvelopeOrigin) => Effect.Effect<Offer, EnvelopeRefused, Needs>
  /** Of its content, where that is told without reading it. */
  readonly digest?: (bytes: Uint8Array) => Effect.Effect<string>
  /** It says nothing of its age: where something says that it is older than what serves, this must not pass for newer. */
  readonly isAgeless?: true
}

const envelopeReader: Reader = { read: readEnvelope }
const plainReader: Reader = { read: readPlain, digest: digestOfPlain, isAgeless: true }

/** One go through what lies there. */
interface Go {
  /** Looked for when their turn comes. */
  readonly rest: ReadonlyArray<readonly [look: (untilMs: number) => Effect.Effect<Look>, reader: Reader]>
  /** By the monotonic clock: an answer is expected then. */
  readonly untilMs: number
  /** Something was passed over because something newer or better serves. */
  readonly isOutranked: boolean
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

/** As LiveConfig has it: what is older would be refused there, each time that it is offered. */
const olderThan = ({ snapshot }: LiveState, offer: Offer): string | undefined => {
  if (snapshot === undefined || snapshot.source === "declarative_file") return undefined
  const [given, serving] = [standingIn(offer), standingIn(snapshot)]
  return mayReplace(given, serving)
    ? undefined
    : `it is older (${showStanding(given)}) than what serves (${showStanding(serving)})`
}

const wrongStages = new Set(["schema", "compile"])

const makeRung = Effect.fnUntraced(function* (store: ObjectStore) {
  const { kong_version } = yield* Settings
  const { state } = yield* LiveConfig
  const clock = yield* TrustedClock
  const needs = yield* Effect.context<Needs>()
  const refusedObjects = makeRefusedObjects()
  const ofVersion = versionKeys(kong_version)
  const placeOf = (key: string) => `${store.place}/${key}`

  const look = Effect.fnUntraced(function* (key: string): Effect.fn.Return<Look> {
    const known = yield* refusedObjects.unchangedYet(key)
    if (known !== undefined) return { key, ...known }
    const read = yield* Effect.result(store.read(key, deflatedMaxBytes))
    if (read._tag === "Failure")
      return { key, reason: read.failure.message, isOfStore: troublesOfStore.has(read.failure.trouble) }
    const object = read.success
    if (object === undefined) return { key, reason: "there is no such object" }
    const passed = yield* refusedObjects.reasonOf(key, object.tag)
    return passed === undefined ? { key, object } : { key, ...passed }
  })

  const lookUntil = (key: string, untilMs: number): Effect.Effect<Look> =>
    Effect.flatMap(monotonicMs, (nowMs) => {
      const late: Look = { key, reason: tooSlow }
      return untilMs <= nowMs
        ? Effect.succeed(late)
        : Effect.timeoutOrElse(look(key), { duration: untilMs - nowMs, orElse: () => Effect.succeed(late) })
    })

  const nothing = (reasons: ReadonlyArray<string>): RungAnswer => ({
    _tag: "Nothing",
    reason: reasons.length === 0 ? `nothing else lies in ${store.place}` : `${store.place}: ${reasons.join("; ")}`
  })

  const passOver = (go: Go, { key, reason, isOutranked = false }: Missing): Effect.Effect<RungAnswer> =>
    advance({ ...go, reasons: [...go.reasons, `${key}: ${reason}`], isOutranked: go.isOutranked || isOutranked })

  /** Whoever asks has new patience. */
  const goOn = (go: Go): Effect.Effect<RungAnswer> =>
    Effect.flatMap(monotonicMs, (nowMs) => advance({ ...go, untilMs: nowMs + patienceMs }))

  const candidate = ({ key, object }: Found, offer: Offer, digest: string | undefined, go: Go): RungAnswer => ({
    _tag: "Candidate",
    offer,
    served: refusedObjects.forget(key),
    refused: ({ stage = "", faults, mayServeYet }) =>
      Effect.andThen(
        refusedObjects.refused(key, object.tag, inShort(faults), mayServeYet),
        goOn(wrongStages.has(stage) && digest !== undefined ? { ...go, wrong: new Set([...go.wrong, digest]) } : go)
      )
  })

  const unusable = ({ key, object }: Found, { stage, message, mayServeYet }: EnvelopeRefused, go: Go): RungAnswer => {
    const fault: Fault = { path: [], place: placeOf(key), message }
    const next = Effect.andThen(refusedObjects.refused(key, object.tag, message, mayServeYet), goOn(go))
    return { _tag: "Unusable", stage, faults: [fault], next }
  }

  const consider = Effect.fnUntraced(function* (found: Found, { read, digest }: Reader, go: Go) {
    const { key, object } = found
    const early = digest === undefined ? undefined : yield* digest(object.bytes)
    const nowMs = yield* clock.nowMs
    const same = (sha256: string | undefined) => sha256 !== undefined && go.wrong.has(sha256)
    const sameReason = "the same content was refused already"
    if (same(early)) return yield* passOver(go, { key, reason: sameReason })
    const offered = yield* read(object.bytes, { source: "object_storage", place: placeOf(key), nowMs }).pipe(
      Effect.provide(needs),
      Effect.result
    )
    if (offered._tag === "Failure") return unusable(found, offered.failure, go)
    const { success: offer } = offered
    if (same(offer.sha256)) return yield* passOver(go, { key, reason: sameReason })
    const older = olderThan(yield* SubscriptionRef.get(state), offer)
    if (older !== undefined) {
      yield* refusedObjects.outranked(key, object.tag, older)
      return yield* passOver(go, { key, reason: older, isOutranked: true })
    }
    yield* refusedObjects.offered(key, object.tag)
    return candidate(found, offer, offer.sha256 ?? early, go)
  })

  const advance = (go: Go): Effect.Effect<RungAnswer> =>
    Effect.gen(function* () {
      const [first, ...rest] = go.rest
      if (first === undefined) return nothing(go.reasons)
      const [lookAt, reader] = first
      if (reader.isAgeless === true && go.isOutranked) return yield* advance({ ...go, rest })
      const seen = yield* lookAt(go.untilMs)
      return yield* isFound(seen) ? consider(seen, reader, { ...go, rest }) : passOver({ ...go, rest }, seen)
    })

  const offer = Effect.gen(function* () {
    const untilMs = (yield* monotonicMs) + patienceMs
    const latest = yield* look(latestKeys.envelope)
    if (!isFound(latest) && latest.isOfStore === true) return nothing([`${latest.key}: ${latest.reason}`])
    const secondUntilMs = isFound(latest) ? Math.min(untilMs, (yield* monotonicMs) + secondPatienceMs) : untilMs
    const own = yield* lookUntil(ofVersion.envelope, secondUntilMs)
    const isOwnFirst =
      isFound(own) && isFound(latest) && (yield* isNewer(own.object, latest.object).pipe(Effect.provide(needs)))
    const envelopes = (isOwnFirst ? [own, latest] : [latest, own]).map(
      (seen) => [() => Effect.succeed(seen), envelopeReader] as const
    )
    const plain = [(untilMs: number) => lookUntil(ofVersion.plain, untilMs), plainReader] as const
    return yield* advance({ rest: [...envelopes, plain], untilMs, isOutranked: false, reasons: [], wrong: new Set() })
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
