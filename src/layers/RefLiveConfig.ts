/** LiveConfig in a plain mutable cell: the swap is one assignment, the read one field. */
import { isDeepStrictEqual } from "node:util"
import { Effect, Layer, MutableRef, Semaphore, SubscriptionRef } from "effect"
import { emptyConfig } from "../model/CompiledConfig.ts"
import { hashTable } from "../model/ConfigHash.ts"
import { isBehind, mayReplace, showStanding } from "../model/ConfigOrder.ts"
import { standingIn } from "../model/ConfigStatement.ts"
import { isEmptyTable } from "../model/ConfigTable.ts"
import type { Row } from "../model/Entity.ts"
import { type Fault, formatFault } from "../model/Fault.ts"
import { PluginsRefused } from "../model/plugin/PluginsRefused.ts"
import { provenanceOf, type Snapshot, type Source, zeroHash } from "../model/Snapshot.ts"
import { inOrder, isAtLeastAsGood, moveBetween, preferenceOf } from "../model/SourcePreference.ts"
import { isShortOfMemory, messageOf } from "../model/thrown.ts"
import { ConfigCodec } from "../services/ConfigCodec.ts"
import { ConfigTrust } from "../services/ConfigTrust.ts"
import {
  type Applied,
  ConfigRejected,
  LiveConfig,
  type LiveState,
  type Offer,
  type PassedOver,
  showPassedOver
} from "../services/LiveConfig.ts"
import { monotonicMs } from "../services/monotonic.ts"
import { Plugins } from "../services/Plugins.ts"
import { Router } from "../services/Router.ts"
import { Settings } from "../services/Settings.ts"
import { TrustedClock } from "../services/TrustedClock.ts"

type Stage = "trust" | "schema" | "compile"

const refusal = (
  { source, hash, place }: Offer,
  stage: Stage,
  faults: ReadonlyArray<Fault>,
  more: { readonly mayServeYet?: true } = {}
) =>
  new ConfigRejected({
    ...more,
    source,
    hash,
    stage,
    faults: place === undefined ? faults : faults.map((fault) => ({ place, ...fault }))
  })

/**
 * What throws at a configuration would throw again: it refuses the configuration, and stops nothing else. Want of memory is
 * no fault of the configuration's: a defect, which whoever offered it may try again.
 */
const attempt = <A>(offer: Offer, stage: Stage, step: () => A): Effect.Effect<A, ConfigRejected> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(step())
    } catch (cause) {
      if (isShortOfMemory(cause)) return Effect.die(cause)
      if (cause instanceof PluginsRefused) return Effect.fail(refusal(offer, stage, cause.faults))
      return Effect.fail(refusal(offer, stage, [{ path: [], message: `can't be processed (${messageOf(cause)})` }]))
    }
  })

/** What is nested deeper than recursion goes is another one. */
const areEqual = (a: Row, b: Row): boolean => {
  try {
    return isDeepStrictEqual(a, b)
  } catch {
    return false
  }
}

/**
 * Whether it serves already, so that nothing has to be compiled. A name is a claim: where a control plane confirms for the
 * first time what came from elsewhere, the contents are compared, for whoever named it may have lied. What a control plane
 * gave under one name twice is the same unless it vouches for two different contents.
 */
const isSame = (offer: Offer, running: Snapshot): boolean => {
  if (offer.hash === undefined || offer.hash !== running.hash) return false
  if (offer.source !== "control_plane") return true
  if (running.source !== "control_plane") return areEqual(offer.raw, running.raw)
  const [given, former] = [offer.attestation?.statement.sha256, running.attestation?.statement.sha256]
  return given === undefined || former === undefined || given === former
}

/** A configuration that is wrong in every row must not make a line of the log, or a status, of megabytes. */
const toldMax = 100

const told = (faults: ReadonlyArray<Fault>): ReadonlyArray<string> => {
  const untold = faults.length - toldMax
  const shown = faults.slice(0, toldMax).map(formatFault)
  return untold > 0 ? [...shown, `and ${untold} more`] : shown
}

const make = Effect.gen(function* () {
  const router = yield* Router
  const plugins = yield* Plugins
  const { decodeTable } = yield* ConfigCodec
  const trust = yield* ConfigTrust
  const clock = yield* TrustedClock
  const preference = preferenceOf(yield* Settings)
  const current = MutableRef.make(emptyConfig)
  const state = yield* SubscriptionRef.make<LiveState>({
    source: "empty",
    sources: preference,
    passedOver: [],
    hash: zeroHash,
    sinceMs: yield* clock.nowMs,
    receivedAtMs: undefined,
    routeCount: 0,
    snapshot: undefined,
    acceptedCount: 0,
    applyTimes: { count: 0, sumMs: 0, lastMs: 0 },
    rejectedCount: 0,
    lastRejection: undefined
  })
  const oneAtATime = yield* Semaphore.make(1)
  let running: Snapshot | undefined
  let warnedOf = ""
  let toldAside = ""

  const note = Effect.fnUntraced(function* (rejected: ConfigRejected) {
    const reasons = told(rejected.faults)
    const lastRejection = {
      atMs: yield* clock.nowMs,
      source: rejected.source,
      hash: rejected.hash,
      reasons,
      faults: rejected.faults
    }
    yield* SubscriptionRef.update(state, (known) => ({
      ...known,
      rejectedCount: known.rejectedCount + 1,
      lastRejection
    }))
    const { source, hash = "unknown", stage = "read" } = rejected
    yield* Effect.logError("configuration rejected; the running one stays").pipe(
      Effect.annotateLogs({ source, hash, stage, reasons })
    )
  })

  /** Nothing is wrong with it, so that no rejection is to be shown: what serves is better. */
  const tell = (rejected: ConfigRejected) => {
    const { source, hash = "unknown", message } = rejected
    if (rejected.isOutranked !== true) return note(rejected)
    // A source that is asked again and again is told of once.
    const isTold = toldAside === `${source} ${hash} ${message}`
    toldAside = `${source} ${hash} ${message}`
    return isTold
      ? Effect.void
      : Effect.logInfo("configuration left aside: something better serves").pipe(
          Effect.annotateLogs({ source, hash, reason: message })
        )
  }

  /** What is worse than the rung that serves would not be asked at all. */
  const relevant = (passed: ReadonlyArray<PassedOver>, serving: Source) =>
    passed.filter(({ source, reasons }) => reasons.length > 0 && isAtLeastAsGood(preference, source, serving))

  const passOver = (passed: PassedOver) =>
    SubscriptionRef.update(state, (known) => {
      const others = known.passedOver.filter(({ source }) => source !== passed.source)
      return { ...known, passedOver: inOrder(preference, relevant([...others, passed], known.source)) }
    })

  /** One event for each climb and each fall, whoever caused it. */
  const tellMove = Effect.fnUntraced(function* (from: Source, to: Source) {
    const move = moveBetween(preference, from, to)
    if (move === undefined) return
    const { passedOver } = yield* SubscriptionRef.get(state)
    const facts = { from, to, passedOver: showPassedOver(passedOver) }
    yield* move === "climbed"
      ? Effect.logInfo("ladder: climbed").pipe(Effect.annotateLogs(facts))
      : Effect.logWarning("ladder: fell").pipe(Effect.annotateLogs(facts))
  })

  const makeSnapshot = Effect.fnUntraced(function* (offer: Offer) {
    const decoded = yield* attempt(offer, "schema", () => decodeTable(offer.raw, plugins))
    if (decoded._tag === "Wrong") return yield* refusal(offer, "schema", decoded.faults)
    // A configuration of nothing but workspaces counts as none, whatever its source calls it (hybrid-protocol-v1.md §6.9).
    const hash = yield* attempt(offer, "schema", () =>
      isEmptyTable(offer.raw) ? zeroHash : (offer.hash ?? hashTable(offer.raw).config)
    )
    const { raw, source, receivedAtMs } = offer
    const { table, notServed } = decoded
    return { ...provenanceOf(offer), raw, source, receivedAtMs, hash, table, notServed } satisfies Snapshot
  })

  const warnOfNotServed = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const names = snapshot.notServed.join(", ")
    if (names === warnedOf) return
    warnedOf = names
    if (names !== "")
      yield* Effect.logWarning("entities that are kept but not served").pipe(Effect.annotateLogs({ entities: names }))
  })

  const swap = Effect.fnUntraced(function* (offer: Offer, snapshot: Snapshot, beganMs: number) {
    const compiled = yield* attempt(offer, "compile", () => router.compile(snapshot.table, plugins))
    const { source: from, routeCount: routesBefore } = yield* SubscriptionRef.get(state)
    const sinceMs = yield* clock.nowMs
    MutableRef.set(current, compiled)
    running = snapshot
    const lastMs = (yield* monotonicMs) - beganMs
    const { source, hash, receivedAtMs } = snapshot
    const routeCount = compiled.routeCount
    yield* SubscriptionRef.update(state, (known) => ({
      ...known,
      source,
      hash,
      receivedAtMs,
      sinceMs,
      routeCount,
      snapshot,
      passedOver: relevant(known.passedOver, source),
      acceptedCount: known.acceptedCount + 1,
      applyTimes: { count: known.applyTimes.count + 1, sumMs: known.applyTimes.sumMs + lastMs, lastMs }
    }))
    yield* tellMove(from, source)
    yield* Effect.logInfo("configuration serves").pipe(Effect.annotateLogs({ from, source, hash, routes: routeCount }))
    if (routeCount === 0 && routesBefore > 0)
      yield* Effect.logWarning("the configuration has no route left; every request is answered 404").pipe(
        Effect.annotateLogs({ source, hash, routesBefore })
      )
    for (const difference of compiled.warnings) {
      yield* Effect.logWarning("configuration served with a difference").pipe(Effect.annotateLogs({ difference }))
    }
    yield* warnOfNotServed(snapshot)
  })

  /** The same hash from a better rung is a climb without a swap. */
  const climb = Effect.fnUntraced(function* (snapshot: Snapshot, offer: Offer) {
    const { source, receivedAtMs } = offer
    // A person may have made what a control plane gives as well: from here on it is the control plane's.
    const { isByHand: _, ...known } = snapshot
    // The same content may be offered under an older number: it stands where it stood.
    const isOlder = source !== "control_plane" && isBehind(standingIn(offer), standingIn(snapshot))
    const climbed: Snapshot = { ...known, ...(isOlder ? {} : provenanceOf(offer)), source, receivedAtMs }
    running = climbed
    const from = (yield* SubscriptionRef.get(state)).source
    yield* SubscriptionRef.update(state, (known) => ({
      ...known,
      source,
      receivedAtMs,
      snapshot: climbed,
      passedOver: relevant(known.passedOver, source),
      acceptedCount: known.acceptedCount + 1
    }))
    yield* tellMove(from, source)
    return { snapshot: climbed, isNew: false } satisfies Applied
  })

  const refuseWorse = Effect.fnUntraced(function* (offer: Offer) {
    const { source, acceptedCount } = yield* SubscriptionRef.get(state)
    if (isAtLeastAsGood(preference, offer.source, source)) return
    if (offer.byHand !== undefined && offer.byHand.after === acceptedCount) return
    const message =
      offer.byHand === undefined
        ? `expected a source at least as good as ${source}, which serves`
        : `expected nothing newer than what was changed by hand; ${source} gave something meanwhile`
    return yield* new ConfigRejected({
      source: offer.source,
      hash: offer.hash,
      isOutranked: true,
      faults: [{ path: [], message, value: offer.source }]
    })
  })

  const refuseUntrusted = Effect.fnUntraced(function* (offer: Offer) {
    const distrust = yield* trust.judge(offer)
    if (distrust === undefined) return
    return yield* refusal(offer, "trust", distrust.faults, distrust.mayServeYet ? { mayServeYet: true } : {})
  })

  /** A better rung is not a newer one: only a live session's latest always counts, and what a person puts in its place. */
  const refuseOlder = Effect.fnUntraced(function* (offer: Offer) {
    if (running === undefined || offer.source === "control_plane" || offer.byHand !== undefined) return
    const [given, serving] = [standingIn(offer), standingIn(running)]
    if (running.source === "declarative_file" || mayReplace(given, serving)) return
    const message = `expected nothing older than what serves (${showStanding(serving)}): it is ${showStanding(given)}`
    return yield* new ConfigRejected({
      source: offer.source,
      hash: offer.hash,
      isOutranked: true,
      faults: [{ path: [], message, ...(offer.place === undefined ? {} : { place: offer.place }) }]
    })
  })

  /** What serves already stays what it is when a worse rung offers it again. */
  const keep = (snapshot: Snapshot, offer: Offer): Effect.Effect<Applied> =>
    isAtLeastAsGood(preference, offer.source, snapshot.source)
      ? climb(snapshot, offer)
      : Effect.succeed({ snapshot, isNew: false })

  const apply = Effect.fnUntraced(
    function* (offer: Offer) {
      yield* refuseWorse(offer)
      yield* refuseUntrusted(offer)
      yield* refuseOlder(offer)
      if (running !== undefined && isSame(offer, running))
        return yield* Effect.tap(keep(running, offer), ({ snapshot }) => trust.accepted(snapshot))
      const beganMs = yield* monotonicMs
      const snapshot = yield* makeSnapshot(offer)
      yield* swap(offer, snapshot, beganMs)
      yield* trust.accepted(snapshot)
      return { snapshot, isNew: true } satisfies Applied
    },
    Effect.tapError(tell),
    // Half a swap must never be seen, whoever is interrupted meanwhile.
    Effect.uninterruptible,
    oneAtATime.withPermit
  )

  return LiveConfig.of({ current, state, apply, note, passOver })
})

export const layer: Layer.Layer<LiveConfig, never, Router | Plugins | Settings | TrustedClock> = Layer.effect(
  LiveConfig,
  make
)
