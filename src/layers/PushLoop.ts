/**
 * Brings every committed change to the connected data planes: the first at once, those of the window that follows
 * together at its end (`hybrid-protocol-v1.md` §8.7; `db_update_frequency` is the window). A version counts as brought
 * only when it was, so that nothing is forgotten over a failure.
 */
import { Effect, Layer, Ref, Schedule, Stream, SubscriptionRef } from "effect"
import { ClusterHub } from "../services/control/ClusterHub.ts"
import { ConfigStore } from "../services/control/ConfigStore.ts"
import { Payloads } from "../services/control/Payloads.ts"
import { Settings } from "../services/Settings.ts"

const restart = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("5 seconds")])

const run = Effect.gen(function* () {
  const store = yield* ConfigStore
  const payloads = yield* Payloads
  const hub = yield* ClusterHub
  const windowMs = (yield* Settings).db_update_frequency * 1000
  const brought = yield* Ref.make(yield* SubscriptionRef.get(store.version))

  const awaitChange = Effect.gen(function* () {
    const seen = yield* Ref.get(brought)
    yield* SubscriptionRef.changes(store.version).pipe(
      Stream.filter((version) => version > seen),
      Stream.take(1),
      Stream.runDrain
    )
  })

  const bring = Effect.gen(function* () {
    // Read first: a change during the export must be seen as one more.
    const version = yield* SubscriptionRef.get(store.version)
    // Without listeners there is nothing to export; whoever connects gets the newest anyway.
    if ((yield* hub.present).length > 0) {
      const payload = yield* payloads.newest
      const sessions = yield* hub.broadcast(payload)
      const facts = { version: payload.version, hash: payload.hash, bytes: payload.bytes.length, sessions }
      if (sessions > 0) yield* Effect.logInfo("configuration pushed").pipe(Effect.annotateLogs(facts))
    }
    yield* Ref.set(brought, version)
  })

  const turn = Effect.andThen(awaitChange, Effect.andThen(bring, Effect.sleep(windowMs)))
  yield* turn.pipe(
    Effect.sandbox,
    Effect.tapError((cause) => Effect.logWarning("push failed; trying again", cause)),
    Effect.retry(restart),
    Effect.forever,
    Effect.forkScoped({ startImmediately: true })
  )
})

export const layer: Layer.Layer<never, never, ConfigStore | Payloads | ClusterHub | Settings> = Layer.effectDiscard(run)
