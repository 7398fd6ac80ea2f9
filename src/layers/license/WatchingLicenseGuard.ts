/**
 * LicenseGuard that watches configuration, files and clock. The licence is judged before this layer is built, so that
 * what needs it never serves a first request without; from then on a fiber for each source looks when something changed
 * there and rings, and one fiber judges: at a ring, at the next instant that matters, and once a minute in any case.
 *
 * Order of a judgement: the request path's field, then the state, then the log.
 */
import { Effect, Equal, Layer, MutableRef, Queue, Stream, SubscriptionRef } from "effect"
import { type GatewayError, licenseExpired } from "../../model/GatewayError.ts"
import { type LicenseFinding, type LicensePolicy, nextWarningAtMs, standingOf } from "../../model/LicenseStanding.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import type { Disk } from "../../services/Disk.ts"
import { FileWatch } from "../../services/FileWatch.ts"
import { LicenseGuard, unlicensed } from "../../services/LicenseGuard.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import { Settings } from "../../services/Settings.ts"
import type { StartError } from "../../services/StartError.ts"
import { supervise } from "../../services/supervise.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { type Holder, makeHolder } from "./Holder.ts"
import { loadPublicKeys } from "./publicKeys.ts"
import { findPlaces } from "./sources.ts"
import { type Decided, makeTeller } from "./tell.ts"

/** A machine that slept has timers that slept as well. */
const longestWaitMs = 60_000

const policyOf = (settings: SettingValues): LicensePolicy => ({
  onExpiry: settings.license_on_expiry,
  graceDays: settings.license_grace_days,
  requiresSignature: settings.license_require_signature
})

const findingOf = (holders: ReadonlyArray<Holder>, decider: Holder | undefined): LicenseFinding => {
  const held = decider?.held()
  if (held !== undefined) return { _tag: "License", ...held }
  return holders.some((holder) => holder.refused()?.isMissing === false) ? { _tag: "Malformed" } : { _tag: "None" }
}

const decide = (holders: ReadonlyArray<Holder>, policy: LicensePolicy, nowMs: number): Decided => {
  const decider = holders.find((holder) => holder.held() !== undefined)
  const standing = standingOf(findingOf(holders, decider), nowMs, policy)
  const refused = holders.flatMap(({ source, refused: refusedBy }) => {
    const found = refusedBy()
    return found === undefined ? [] : [{ source, reasons: found.reasons }]
  })
  return { digest: decider?.held()?.license.digest, report: { ...standing, source: decider?.source, refused } }
}

/** How long until time may change something by itself; `undefined` when it can't. */
const restMs = ({ report: { expiresAtMs, nextChangeAtMs } }: Decided, nowMs: number): number | undefined => {
  if (expiresAtMs === undefined) return undefined
  const instants = [nextChangeAtMs, nextWarningAtMs(expiresAtMs, nowMs)].filter((atMs) => atMs !== undefined)
  return Math.max(1, Math.min(longestWaitMs, ...instants.map((atMs) => atMs - nowMs)))
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const live = yield* LiveConfig
  const health = yield* NodeHealth
  const files = yield* FileWatch
  const clock = yield* TrustedClock
  const policy = policyOf(settings)
  const publicKeys = yield* loadPublicKeys(settings.license_public_key)
  const places = yield* findPlaces
  const holders = places.map((place) => makeHolder(place, { policy, publicKeys }))

  const refusal = MutableRef.make<GatewayError | undefined>(undefined)
  const state = yield* SubscriptionRef.make(unlicensed)
  const tell = makeTeller()
  let decided: Decided = { digest: undefined, report: unlicensed }

  /** Returns how long to wait for the next one. */
  const judge = Effect.gen(function* () {
    const nowMs = yield* clock.nowMs
    const former = decided
    const next = decide(holders, policy, nowMs)
    decided = next
    MutableRef.set(refusal, next.report.stops ? licenseExpired : undefined)
    MutableRef.set(health.license, next.report)
    if (!Equal.equals(former.report, next.report)) yield* SubscriptionRef.set(state, next.report)
    yield* tell(former, next, nowMs)
    return restMs(next, nowMs)
  })

  const bell = yield* Queue.sliding<void>(1)
  const ring = Queue.offer(bell, undefined)

  const followFile = (file: string, look: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const { changed } = yield* files.watch(file)
      // What changed before it was watched is not told.
      for (;;) {
        yield* look
        yield* ring
        yield* changed
      }
    })

  const followConfig = (look: Effect.Effect<void>) =>
    SubscriptionRef.changes(live.state).pipe(
      Stream.map(({ snapshot }) => snapshot?.raw),
      Stream.changesWith((one, other) => one === other),
      Stream.runForEach(() => Effect.andThen(look, ring))
    )

  for (const { look } of holders) yield* look
  yield* judge

  for (const [index, { source, file }] of places.entries()) {
    const look = holders[index]?.look ?? Effect.void
    if (source === "configuration") yield* supervise("licence in the configuration", followConfig(look))
    if (file !== undefined) yield* supervise("licence file", followFile(file, look))
  }
  yield* supervise(
    "licence clock",
    Stream.runForEach(SubscriptionRef.changes(clock.jumps), () => ring)
  )
  yield* supervise(
    "licence guard",
    Effect.forever(Effect.flatMap(judge, (waitMs) => Effect.timeoutOption(Queue.take(bell), waitMs ?? "Infinity")))
  )
  return { refusal, state }
})

export const layer: Layer.Layer<
  LicenseGuard,
  StartError,
  Settings | LiveConfig | NodeHealth | FileWatch | TrustedClock | Disk
> = Layer.effect(LicenseGuard, make)
