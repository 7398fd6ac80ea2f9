/** LiveConfig in a plain mutable cell: the swap is one assignment, the read one field. */
import { Clock, Effect, Layer, MutableRef, Semaphore, SubscriptionRef } from "effect"
import { emptyConfig } from "../model/CompiledConfig.ts"
import { hashTable } from "../model/ConfigHash.ts"
import { decodeTable, isEmptyTable } from "../model/ConfigTable.ts"
import { formatFault } from "../model/Fault.ts"
import { isAtLeastAsGood, type Snapshot, zeroHash } from "../model/Snapshot.ts"
import { messageOf } from "../model/thrown.ts"
import { type Applied, ConfigRejected, LiveConfig, type LiveState, type Offer } from "../services/LiveConfig.ts"
import { Router } from "../services/Router.ts"

/** What throws at a configuration would throw again: it refuses the configuration, and stops nothing else. */
const attempt = <A>({ source, hash }: Pick<Offer, "source" | "hash">, step: () => A) =>
  Effect.try({
    try: step,
    catch: (cause) =>
      new ConfigRejected({ source, hash, faults: [{ path: [], message: `can't be processed (${messageOf(cause)})` }] })
  })

const makeSnapshot = Effect.fnUntraced(function* (offer: Offer) {
  const decoded = yield* attempt(offer, () => decodeTable(offer.raw))
  if (decoded._tag === "Wrong") {
    return yield* new ConfigRejected({ source: offer.source, hash: offer.hash, faults: decoded.faults })
  }
  // A configuration of nothing but workspaces counts as none, whatever its source calls it (hybrid-protocol-v1.md §6.9).
  const hash = yield* attempt(offer, () =>
    isEmptyTable(offer.raw) ? zeroHash : (offer.hash ?? hashTable(offer.raw).config)
  )
  const { raw, source, receivedAtMs } = offer
  return { raw, source, receivedAtMs, hash, table: decoded.table, notServed: decoded.notServed } satisfies Snapshot
})

const make = Effect.gen(function* () {
  const router = yield* Router
  const current = MutableRef.make(emptyConfig)
  const state = yield* SubscriptionRef.make<LiveState>({
    source: "empty",
    hash: zeroHash,
    sinceMs: yield* Clock.currentTimeMillis,
    receivedAtMs: undefined,
    routeCount: 0,
    snapshot: undefined,
    acceptedCount: 0,
    lastRejection: undefined
  })
  const oneAtATime = yield* Semaphore.make(1)
  let running: Snapshot | undefined
  let warnedOf = ""

  const note = Effect.fnUntraced(function* (rejected: ConfigRejected) {
    const reasons = rejected.faults.map(formatFault)
    const lastRejection = {
      atMs: yield* Clock.currentTimeMillis,
      source: rejected.source,
      hash: rejected.hash,
      reasons,
      faults: rejected.faults
    }
    yield* SubscriptionRef.update(state, (known) => ({ ...known, lastRejection }))
    yield* Effect.logError("configuration rejected; the running one stays").pipe(
      Effect.annotateLogs({ source: rejected.source, hash: rejected.hash ?? "unknown", reasons })
    )
  })

  const warnOfNotServed = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const names = snapshot.notServed.join(", ")
    if (names === warnedOf) return
    warnedOf = names
    if (names !== "")
      yield* Effect.logWarning("entities that are kept but not served").pipe(Effect.annotateLogs({ entities: names }))
  })

  const swap = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const compiled = yield* attempt(snapshot, () => router.compile(snapshot.table))
    const from = (yield* SubscriptionRef.get(state)).source
    MutableRef.set(current, compiled)
    running = snapshot
    const sinceMs = yield* Clock.currentTimeMillis
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
      acceptedCount: known.acceptedCount + 1
    }))
    yield* Effect.logInfo("configuration serves").pipe(Effect.annotateLogs({ from, source, hash, routes: routeCount }))
    for (const difference of compiled.warnings) {
      yield* Effect.logWarning("configuration served with a difference").pipe(Effect.annotateLogs({ difference }))
    }
    yield* warnOfNotServed(snapshot)
  })

  /** The same hash from a better rung is a climb without a swap. */
  const climb = Effect.fnUntraced(function* (snapshot: Snapshot, offer: Offer) {
    const climbed = { ...snapshot, source: offer.source, receivedAtMs: offer.receivedAtMs }
    running = climbed
    yield* SubscriptionRef.update(state, (known) => ({
      ...known,
      source: offer.source,
      receivedAtMs: offer.receivedAtMs,
      snapshot: climbed,
      acceptedCount: known.acceptedCount + 1
    }))
    return { snapshot: climbed, isNew: false } satisfies Applied
  })

  const refuseWorse = Effect.fnUntraced(function* (offer: Offer) {
    const { source, acceptedCount } = yield* SubscriptionRef.get(state)
    if (isAtLeastAsGood(offer.source, source)) return
    if (offer.byHand !== undefined && offer.byHand.after === acceptedCount) return
    const message =
      offer.byHand === undefined
        ? `expected a source at least as good as ${source}, which serves`
        : `expected nothing newer than what was changed by hand; ${source} gave something meanwhile`
    return yield* new ConfigRejected({
      source: offer.source,
      hash: offer.hash,
      faults: [{ path: [], message, value: offer.source }]
    })
  })

  /** What serves already stays what it is when a worse rung offers it again. */
  const keep = (snapshot: Snapshot, offer: Offer): Effect.Effect<Applied> =>
    isAtLeastAsGood(offer.source, snapshot.source) ? climb(snapshot, offer) : Effect.succeed({ snapshot, isNew: false })

  const apply = Effect.fnUntraced(
    function* (offer: Offer) {
      yield* refuseWorse(offer)
      if (running !== undefined && offer.hash !== undefined && offer.hash === running.hash)
        return yield* keep(running, offer)
      const snapshot = yield* makeSnapshot(offer)
      yield* swap(snapshot)
      return { snapshot, isNew: true } satisfies Applied
    },
    Effect.tapError((rejected) => note(rejected)),
    // Half a swap must never be seen, whoever is interrupted meanwhile.
    Effect.uninterruptible,
    oneAtATime.withPermit
  )

  return LiveConfig.of({ current, state, apply, note })
})

export const layer: Layer.Layer<LiveConfig, never, Router> = Layer.effect(LiveConfig, make)
