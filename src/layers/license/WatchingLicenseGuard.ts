/**
 * LicenseGuard that watches configuration, files and clock. The licence is judged before this layer is built, so that
 * what needs it never serves a first request without; from then on a fiber for each source looks when something changed
 * there and rings, and one fiber judges: at a ring, at the next instant that matters, and once a minute in any case.
 */
import { Effect, Layer, Queue, Stream, SubscriptionRef } from "effect"
import type { LicensePolicy } from "../../model/LicenseStanding.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import type { ConfigCache } from "../../services/ConfigCache.ts"
import type { Disk } from "../../services/Disk.ts"
import { FileWatch } from "../../services/FileWatch.ts"
import { LicenseGuard } from "../../services/LicenseGuard.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import type { NodeHealth } from "../../services/NodeHealth.ts"
import { Settings } from "../../services/Settings.ts"
import type { StartError } from "../../services/StartError.ts"
import { loadPublicKeys } from "../../services/signingKeys.ts"
import { supervise } from "../../services/supervise.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { makeHolder } from "./Holder.ts"
import { makeJudge } from "./Judge.ts"
import { findPlaces } from "./sources.ts"

const policyOf = (settings: SettingValues): LicensePolicy => ({
  onExpiry: settings.license_on_expiry,
  graceDays: settings.license_grace_days,
  requiresSignature: settings.license_require_signature
})

/** Does `then` at once, for what changed before the file was watched is not told, and at every change. */
const followFile = (file: string, then: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const { changed } = yield* Effect.flatMap(FileWatch, (files) => files.watch(file))
    yield* Effect.forever(Effect.andThen(then, changed))
  })

const followConfig = (then: Effect.Effect<void>) =>
  Effect.flatMap(LiveConfig, ({ state }) =>
    SubscriptionRef.changes(state).pipe(
      Stream.map(({ snapshot }) => snapshot),
      // The same table is worth more once the control plane has said it.
      Stream.changesWith((one, other) => one?.raw === other?.raw && one?.source === other?.source),
      Stream.runForEach(() => then)
    )
  )

const followClock = (then: Effect.Effect<void>) =>
  Effect.flatMap(TrustedClock, ({ jumps }) => Stream.runForEach(SubscriptionRef.changes(jumps), () => then))

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const policy = policyOf(settings)
  const publicKeys = yield* loadPublicKeys("license_public_key", settings.license_public_key)
  const judgement = { policy, publicKeys }
  const holders = (yield* findPlaces(judgement)).map((place) => makeHolder(place, judgement))
  const { refusal, state, judge } = yield* makeJudge(holders, policy)
  for (const { look } of holders) yield* look
  yield* judge

  const bell = yield* Queue.sliding<void>(1)
  const ring = Effect.asVoid(Queue.offer(bell, undefined))
  for (const { source, file, look } of holders) {
    const lookAndRing = Effect.andThen(look, ring)
    if (source === "configuration") yield* supervise("licence in the configuration", followConfig(lookAndRing))
    if (file !== undefined) yield* supervise("licence file", followFile(file, lookAndRing))
  }
  yield* supervise("licence clock", followClock(ring))
  yield* supervise(
    "licence guard",
    Effect.forever(Effect.flatMap(judge, (restMs) => Effect.timeoutOption(Queue.take(bell), restMs ?? "Infinity")))
  )
  return { refusal, state }
})

export const layer: Layer.Layer<
  LicenseGuard,
  StartError,
  Settings | LiveConfig | ConfigCache | NodeHealth | FileWatch | TrustedClock | Disk
> = Layer.effect(LicenseGuard, make)
