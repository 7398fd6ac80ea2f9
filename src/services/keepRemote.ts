/**
 * What came from afar is kept for the next start, as long as nothing else serves. It is written beside the asking, which
 * goes on: the newest only, tried again until the disk takes it, and once more at a stop.
 */
import { Effect, FiberHandle, MutableRef, Schedule, SubscriptionRef } from "effect"
import type { Snapshot } from "../model/Snapshot.ts"
import { messageOf } from "../model/thrown.ts"
import { ConfigCache, type ConfigCacheError } from "./ConfigCache.ts"
import { makeDetachedWrites } from "./detachedWrites.ts"
import { LiveConfig } from "./LiveConfig.ts"
import { NodeHealth } from "./NodeHealth.ts"

const retry = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")])

export const makeRemoteKeeper = Effect.gen(function* () {
  const live = yield* LiveConfig
  const cache = yield* ConfigCache
  const { cacheProblem } = yield* NodeHealth
  let owed: Snapshot | undefined
  let told: string | undefined

  const write = (snapshot: Snapshot) => {
    const doesServe = Effect.map(SubscriptionRef.get(live.state), ({ hash }) => hash === snapshot.hash)
    return Effect.tap(cache.write(snapshot, doesServe), () =>
      Effect.sync(() => {
        if (owed === snapshot) owed = undefined
      })
    )
  }

  const begin = yield* makeDetachedWrites(() => (owed === undefined ? Effect.void : write(owed)))

  /** Once while it lasts, whatever else is to be written meanwhile. */
  const tell = ({ file, message }: Pick<ConfigCacheError, "file" | "message">) => {
    const isKnown = told !== undefined
    told = message
    MutableRef.set(cacheProblem, message)
    if (isKnown) return Effect.void
    return Effect.logWarning("configuration serves but can't be cached; trying again").pipe(
      Effect.annotateLogs({ file, cause: message })
    )
  }

  const mended = Effect.sync(() => {
    // Somebody else's problem by now, if it is another one.
    if (MutableRef.get(cacheProblem) === told) MutableRef.set(cacheProblem, undefined)
    told = undefined
  })

  /** Comes to an end when it is written, or is moot. */
  const persist = (snapshot: Snapshot) =>
    begin(write(snapshot)).pipe(
      Effect.catchDefect((defect) => Effect.fail({ file: "the cache", message: messageOf(defect) })),
      Effect.tapError(tell),
      Effect.retry(retry),
      Effect.andThen(mended)
    )

  // Behind the last try, so that it is interrupted before that.
  const newest = yield* FiberHandle.make()

  const keep = (snapshot: Snapshot): Effect.Effect<void> =>
    Effect.suspend(() => {
      owed = snapshot
      return Effect.asVoid(FiberHandle.run(newest, persist(snapshot)))
    })

  return { keep }
})
