/**
 * Keeps every file of the cache as the newest key would write it: at the start, after each change of the key, and once
 * more before a stop, when the key on disk may have changed without anybody having looked. Only then are former keys
 * forgotten (`docs/cache-encryption.md`).
 */
import { Effect, Fiber, Schedule, type Scope, Semaphore, Stream, SubscriptionRef } from "effect"
import type { SettingValues } from "../model/SettingTable.ts"
import { CacheKeys } from "./CacheKeys.ts"
import { ConfigCache, type ConfigCacheError, type LeftAside } from "./ConfigCache.ts"
import { Settings } from "./Settings.ts"
import { supervise } from "./supervise.ts"

const retry = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")])

/** A stop waits so long for a disk that does not answer. */
const patienceAtStop = "5 seconds"

/** Without any of these no file has to be looked at unless it is stale when it is read. */
const mayHaveToRenew = (settings: SettingValues): boolean =>
  settings.config_cache_encryption !== "off" ||
  settings.config_cache_key_file !== undefined ||
  settings.config_cache_key !== undefined ||
  settings.cluster_cert_key_previous !== undefined

/** People throw keys away by these lines: none says more than is so. */
const tellDone = (key: string | undefined, left: ReadonlyArray<LeftAside>): Effect.Effect<void> => {
  if (left.length > 0) {
    const files = left.map(({ file, reason }) => `${file}: ${reason}`)
    const asksFor = [...new Set(left.flatMap(({ keyId }) => keyId ?? []))]
    return Effect.logWarning("cached configurations that no key reads are left as they are").pipe(
      Effect.annotateLogs({ key, asksFor, files })
    )
  }
  return key === undefined
    ? Effect.logInfo("cached configurations are in plain")
    : Effect.logInfo("cached configurations are encrypted with the newest key").pipe(Effect.annotateLogs({ key }))
}

export const keepCacheRenewed: Effect.Effect<void, never, Settings | ConfigCache | CacheKeys | Scope.Scope> =
  Effect.gen(function* () {
    const { renew } = yield* ConfigCache
    const { known, lookAgain, settled } = yield* CacheKeys
    if (renew === undefined || !mayHaveToRenew(yield* Settings)) return
    const newest = Effect.map(SubscriptionRef.get(known), (keys) => keys.newest)
    const oneAtATime = yield* Semaphore.make(1)
    let settledId = (yield* newest)?.id
    let isSettled = false

    /** Once begun it can't be interrupted: whoever stops meanwhile leaves it behind. */
    const renewed = Effect.flatMap(Effect.forkDetach(renew), Fiber.join)

    /** As often as another key came meanwhile, even one that has gone again: files may be under either then. */
    const renewedUnderOne = Effect.gen(function* () {
      for (;;) {
        const keys = yield* SubscriptionRef.get(known)
        const left = yield* renewed
        if ((yield* SubscriptionRef.get(known)) === keys) return { key: keys.newest, left }
      }
    })

    /** Whoever comes second, of the fiber that follows the keys and the last look, finds it done. */
    const pass = oneAtATime.withPermit(
      Effect.gen(function* () {
        if (isSettled && (yield* newest)?.id === settledId) return
        const { key, left } = yield* renewedUnderOne
        yield* settled(key)
        isSettled = true
        settledId = key?.id
        yield* tellDone(key?.id, left)
      })
    )

    const tell = ({ file, message }: ConfigCacheError) =>
      Effect.logWarning("cached configurations can't be written anew; trying again").pipe(
        Effect.annotateLogs({ file, cause: message })
      )

    /** Told once, however often it is tried. */
    const passAtLast = pass.pipe(
      Effect.tapError(tell),
      Effect.catch(() => pass.pipe(Effect.retry(retry), Effect.delay("1 second"))),
      Effect.ignore
    )

    const changes = SubscriptionRef.changes(known).pipe(
      Stream.map((keys) => keys.newest?.id),
      Stream.changes
    )
    yield* supervise(
      "keeping the cache under its newest key",
      Stream.runForEach(changes, () => passAtLast)
    )

    const lastPass = Effect.gen(function* () {
      yield* lookAgain
      if ((yield* newest)?.id !== settledId) yield* Effect.catch(pass, tell)
    })
    yield* Effect.addFinalizer(() => lastPass.pipe(Effect.interruptible, Effect.timeoutOption(patienceAtStop)))
  })
