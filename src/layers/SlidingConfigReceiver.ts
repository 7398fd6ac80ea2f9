/**
 * ConfigReceiver with one slot. The order for each payload is: swap (requests see it), persist (a restart finds it),
 * announce (the control plane learns of it). What can't be persisted serves all the same, and is written again with
 * backoff until that works or something newer takes its place. A fiber of its own persists, and only the newest: a disk
 * that never answers keeps the announcement waiting for a while, and nothing else.
 */
import { createHash } from "node:crypto"
import {
  Cause,
  Clock,
  Deferred,
  Effect,
  FiberHandle,
  Layer,
  MutableRef,
  Option,
  Queue,
  Schedule,
  SubscriptionRef
} from "effect"
import type { Fault } from "../model/Fault.ts"
import type { Snapshot } from "../model/Snapshot.ts"
import { decodeReconfigure, type Reconfigure } from "../model/Wire.ts"
import { Compression, inflatedMaxBytes } from "../services/Compression.ts"
import { ConfigCache } from "../services/ConfigCache.ts"
import { ConfigReceiver } from "../services/ConfigReceiver.ts"
import { Heartbeat } from "../services/Heartbeat.ts"
import { ConfigRejected, LiveConfig } from "../services/LiveConfig.ts"
import { NodeHealth } from "../services/NodeHealth.ts"
import { supervise } from "../services/supervise.ts"

const persistRetry = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")])
const persistPatience = "5 seconds"

interface ToPersist {
  readonly snapshot: Snapshot
  /** Done once it is on disk, has failed once, or needs no writing. */
  readonly tried: Deferred.Deferred<void>
}

const rejected = (faults: ReadonlyArray<Fault>) =>
  new ConfigRejected({ source: "control_plane", hash: undefined, faults })

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const make = Effect.gen(function* () {
  const compression = yield* Compression
  const live = yield* LiveConfig
  const cache = yield* ConfigCache
  const heartbeat = yield* Heartbeat
  const health = yield* NodeHealth
  const slot = yield* Queue.sliding<Uint8Array>(1)
  const persisting = yield* FiberHandle.make<void, never>()
  const toPersist = yield* Queue.sliding<ToPersist>(1)
  let refused: string | undefined
  /** The hash of what must still be written, even if it comes again meanwhile and is not new then. */
  let owed: string | undefined

  const read = Effect.fnUntraced(
    function* (payload: Uint8Array) {
      const json = yield* compression
        .gunzip(payload, inflatedMaxBytes)
        .pipe(Effect.mapError((error) => rejected([{ path: ["reconfigure"], message: error.message }])))
      const decoded = decodeReconfigure(json)
      if (decoded._tag === "Wrong") return yield* rejected(decoded.faults)
      if (decoded._tag === "Right") return decoded.message
      yield* Effect.logDebug("message of an unknown type ignored").pipe(Effect.annotateLogs({ type: decoded.type }))
      return undefined
    },
    Effect.tapError((error) => live.note(error))
  )

  const isServed = ({ hash }: Snapshot) => Effect.map(SubscriptionRef.get(live.state), (state) => state.hash === hash)

  const persistOnce = Effect.fnUntraced(function* (snapshot: Snapshot) {
    if (!(yield* isServed(snapshot))) return
    yield* cache.write(snapshot)
    if (owed === snapshot.hash) owed = undefined
    if (MutableRef.get(health.cacheProblem) !== undefined) {
      yield* Effect.logInfo("configuration cached at last").pipe(Effect.annotateLogs({ hash: snapshot.hash }))
    }
    MutableRef.set(health.cacheProblem, undefined)
  })

  const persist = Effect.fnUntraced(function* (snapshot: Snapshot) {
    yield* FiberHandle.clear(persisting)
    yield* persistOnce(snapshot).pipe(
      Effect.catch((error) => {
        MutableRef.set(health.cacheProblem, error.message)
        const again = persistOnce(snapshot).pipe(Effect.retry(persistRetry), Effect.delay("1 second"), Effect.ignore)
        return Effect.logWarning("configuration serves but can't be cached; trying again").pipe(
          Effect.annotateLogs({ file: error.file, cause: error.message }),
          Effect.andThen(FiberHandle.run(persisting, again))
        )
      })
    )
  })

  /** A person changed or removed the file: the control plane's configuration takes its place (`resilience.md` §4). */
  const isFileOurs = Effect.suspend(() =>
    cache.byHand === undefined ? Effect.succeed(true) : Effect.map(cache.byHand.state, (state) => state === "own")
  )

  const persistIfNeeded = Effect.fnUntraced(function* ({ snapshot, tried }: ToPersist) {
    const isNeeded = Effect.suspend(() =>
      owed === snapshot.hash ? Effect.succeed(true) : Effect.map(isFileOurs, (ours) => !ours)
    )
    yield* Effect.flatMap(isNeeded, (needed) => (needed ? persist(snapshot) : Effect.void)).pipe(
      Effect.ensuring(Deferred.succeed(tried, undefined))
    )
  })
  yield* supervise("caching configurations", Effect.forever(Effect.flatMap(Queue.take(toPersist), persistIfNeeded)))

  /** In the normal case what is announced is on disk; nobody waits for ever for a disk that never answers. */
  const persistPatiently = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const tried = yield* Deferred.make<void>()
    yield* Queue.offer(toPersist, { snapshot, tried })
    const inTime = yield* Deferred.await(tried).pipe(Effect.timeoutOption(persistPatience))
    if (Option.isSome(inTime) || (yield* Deferred.isDone(tried))) return
    const wasKnown = MutableRef.get(health.cacheProblem) !== undefined
    MutableRef.set(health.cacheProblem, "still being written")
    if (wasKnown) return
    yield* Effect.logWarning("configuration serves but is still being cached").pipe(
      Effect.annotateLogs({ hash: snapshot.hash })
    )
  })

  const applyMessage = Effect.fnUntraced(function* (message: Reconfigure) {
    const receivedAtMs = yield* Clock.currentTimeMillis
    const { config_table: raw, config_hash: hash } = message
    const { snapshot, isNew } = yield* live.apply({ raw, hash, receivedAtMs, source: "control_plane" })
    if (isNew) owed = snapshot.hash
    yield* persistPatiently(snapshot)
    yield* heartbeat.announce
  })

  const take = Effect.fnUntraced(function* (payload: Uint8Array) {
    const name = digest(payload)
    // The same bytes would fail the same way: after a reconnect they come again, and are not tried again.
    if (name === refused) return
    yield* read(payload).pipe(
      Effect.flatMap((message) => (message === undefined ? Effect.void : applyMessage(message))),
      Effect.catch(() => Effect.sync(() => (refused = name)))
    )
  })

  const supervised = Queue.take(slot).pipe(
    Effect.flatMap(take),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.logError("applying a configuration failed", cause)
    ),
    Effect.forever
  )
  yield* Effect.forkScoped(supervised)

  return ConfigReceiver.of({ receive: (payload) => Effect.asVoid(Queue.offer(slot, payload)) })
})

export const layer: Layer.Layer<
  ConfigReceiver,
  never,
  Compression | LiveConfig | ConfigCache | Heartbeat | NodeHealth
> = Layer.effect(ConfigReceiver, make)
