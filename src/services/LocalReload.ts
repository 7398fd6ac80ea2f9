/**
 * Reload over the declarative file and the cache. Who may replace what, beyond the ladder's rule that a better rung
 * replaces a worse one (`resilience.md` §4):
 *
 *   the file replaces    itself, and whatever the node's preference puts below it
 *   the cache replaces   whatever serves, when a person changed it and no session is live
 *
 * Whatever a control plane gives meanwhile wins: an offer by hand counts from what was accepted before it was read. So
 * does what the file gives, while the cache's disk does not answer.
 */
import { Effect, Layer, Scope, SubscriptionRef } from "effect"
import { isAtLeastAsGood, isUsed, preferenceOf } from "../model/SourcePreference.ts"
import { ConfigCache } from "./ConfigCache.ts"
import { ConnectionStatus } from "./ConnectionStatus.ts"
import { DeclarativeConfig } from "./DeclarativeConfig.ts"
import { DiskSilence, whileDiskAnswers } from "./DiskSilence.ts"
import { FileWatch } from "./FileWatch.ts"
import { serveRung } from "./Ladder.ts"
import { LiveConfig } from "./LiveConfig.ts"
import { Reload } from "./Reload.ts"
import { Settings } from "./Settings.ts"
import { supervise } from "./supervise.ts"

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const live = yield* LiveConfig
  const file = yield* DeclarativeConfig
  const { byHand } = yield* ConfigCache
  const connection = yield* ConnectionStatus
  const preference = preferenceOf(settings)
  const isNamed = settings.declarative_config !== undefined || settings.declarative_config_string !== undefined

  const declarativeFile = Effect.gen(function* () {
    if (!isNamed || !isUsed(preference, "declarative_file")) return
    const { source } = yield* SubscriptionRef.get(live.state)
    if (!isAtLeastAsGood(preference, "declarative_file", source)) {
      yield* Effect.logInfo("declarative file not read again: something better serves").pipe(
        Effect.annotateLogs({ source })
      )
      return
    }
    yield* serveRung(live, file)
  })

  const cache = Effect.gen(function* () {
    if (byHand === undefined) return
    const { acceptedCount } = yield* SubscriptionRef.get(live.state)
    const { _tag: connected } = yield* SubscriptionRef.get(connection)
    if ((yield* byHand.state) !== "foreign") return
    if (connected === "connected") {
      yield* Effect.logInfo("cache file changed by hand is left alone while the control plane is connected").pipe(
        Effect.annotateLogs({ file: byHand.file })
      )
      return
    }
    yield* Effect.logInfo("cache file changed by hand").pipe(Effect.annotateLogs({ file: byHand.file }))
    const rung = { source: "disk", offer: byHand.offer } as const
    yield* serveRung(live, rung, (offer) => ({ ...offer, byHand: { after: acceptedCount } }))
  })

  const scope = yield* Effect.scope
  const silence = yield* DiskSilence

  /** A file whose disk never answers hides neither the other one nor the next request to look. */
  const whileAnswered = (look: Effect.Effect<void>) =>
    whileDiskAnswers(look).pipe(Effect.provideService(Scope.Scope, scope), Effect.provideService(DiskSilence, silence))

  const all = Effect.gen(function* () {
    yield* whileAnswered(cache)
    yield* whileAnswered(declarativeFile)
  })
  return Reload.of({ all, declarativeFile, cache })
})

export const layer: Layer.Layer<
  Reload,
  never,
  Settings | LiveConfig | DeclarativeConfig | ConfigCache | ConnectionStatus
> = Layer.effect(Reload, make)

/**
 * Looks at the files as they are now; the effect that comes back follows them from there, so that what changes while
 * the node starts is not missed.
 */
export const beginFollowing = Effect.gen(function* () {
  const settings = yield* Settings
  const reload = yield* Reload
  const files = yield* FileWatch
  const { byHand } = yield* ConfigCache
  const isFollowed = settings.declarative_config_watch && isUsed(preferenceOf(settings), "declarative_file")
  const declarative = isFollowed ? settings.declarative_config : undefined
  const followed = [
    { name: "declarative file watch", file: declarative, reload: reload.declarativeFile },
    { name: "cache watch", file: byHand?.file, reload: reload.cache }
  ]
  const follows = yield* Effect.forEach(followed, ({ name, file, reload: again }) =>
    Effect.gen(function* () {
      if (file === undefined) return Effect.void
      const { changed } = yield* files.watch(file)
      return supervise(name, Effect.forever(Effect.andThen(changed, again)))
    })
  )
  // After the first look at it: what changes in between is told, and found to be known.
  if (byHand !== undefined) yield* whileDiskAnswers(byHand.adopt)
  return Effect.all(follows, { discard: true })
})
