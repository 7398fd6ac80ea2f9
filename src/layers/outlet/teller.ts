/**
 * Tells people of what the machine did: the status at any moment, the log once a change. While the control plane is away
 * there is a summary every five minutes: a day of that is not 11,000 lines.
 */
import { Effect, MutableRef, SubscriptionRef } from "effect"
import type { Change } from "../../model/session/Action.ts"
import type { EndFacts } from "../../model/session/State.ts"
import type { ApplyOutcome } from "../../services/ConfigReceiver.ts"
import { ConnectionStatus } from "../../services/ConnectionStatus.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"

const summaryIntervalMs = 5 * 60_000

export const makeTeller = Effect.gen(function* () {
  const status = yield* ConnectionStatus
  const health = yield* NodeHealth
  const clock = yield* TrustedClock
  let awaySinceMs = 0
  let summarisedAtMs = 0
  let isShort = false

  const since = Effect.gen(function* () {
    return { sinceMs: yield* clock.nowMs, sinceMonotonicMs: yield* monotonicMs }
  })

  const becomeConnecting = Effect.gen(function* () {
    yield* SubscriptionRef.set(status, { _tag: "connecting", ...(yield* since) })
  })

  const becomeConnected = Effect.gen(function* () {
    yield* SubscriptionRef.set(status, { _tag: "connected", ...(yield* since) })
    yield* Effect.logInfo("control plane connected")
  })

  const summarise = Effect.fnUntraced(function* (
    facts: { readonly reason: string; readonly cause: string },
    attempts: number
  ) {
    const nowMs = yield* monotonicMs
    if (nowMs - summarisedAtMs < summaryIntervalMs)
      return yield* Effect.logDebug("dial failed").pipe(Effect.annotateLogs(facts))
    summarisedAtMs = nowMs
    const lasting = { ...facts, attempts, forSeconds: Math.round((nowMs - awaySinceMs) / 1000) }
    return yield* Effect.logWarning("control plane still away; serving goes on").pipe(Effect.annotateLogs(lasting))
  })

  const becomeDisconnected = Effect.fnUntraced(function* ({ reason, message }: EndFacts) {
    const facts = { reason, cause: message }
    const before = yield* SubscriptionRef.get(status)
    if (before._tag === "disconnected") {
      const attempts = before.attempts + 1
      yield* SubscriptionRef.set(status, { ...before, attempts, reason: message })
      return yield* summarise(facts, attempts)
    }
    const attempts = before._tag === "connecting" ? 1 : 0
    const began = yield* since
    yield* SubscriptionRef.set(status, { _tag: "disconnected", ...began, attempts, reason: message })
    awaySinceMs = began.sinceMonotonicMs
    summarisedAtMs = awaySinceMs
    yield* Effect.logWarning(
      before._tag === "connected"
        ? "control plane lost; serving goes on"
        : "control plane can't be reached; serving goes on"
    ).pipe(Effect.annotateLogs(facts))
  })

  const change = (change: Change): Effect.Effect<void> => {
    switch (change._tag) {
      case "connecting":
        return becomeConnecting
      case "connected":
        return becomeConnected
      case "disconnected":
        return becomeDisconnected(change.end)
      case "persistSlow":
        MutableRef.set(health.cacheProblem, "still being written")
        return Effect.logWarning("configuration serves but is still being cached").pipe(
          Effect.annotateLogs({ hash: change.hash })
        )
      case "persistFailing":
        MutableRef.set(health.cacheProblem, change.message)
        return Effect.logWarning("configuration serves but can't be cached; trying again").pipe(
          Effect.annotateLogs({ hash: change.hash, cause: change.message })
        )
      case "persistMended":
        MutableRef.set(health.cacheProblem, undefined)
        return Effect.logInfo("configuration cached at last").pipe(Effect.annotateLogs({ hash: change.hash }))
    }
  }

  /** Once while it lasts: the attempts that follow are nobody's news. */
  const outcome = (outcome: ApplyOutcome): Effect.Effect<void> => {
    const wasShort = isShort
    isShort = outcome._tag === "failed"
    return outcome._tag === "failed" && !wasShort
      ? Effect.logWarning("configuration can't be taken just now; trying again").pipe(
          Effect.annotateLogs({ cause: outcome.message })
        )
      : Effect.void
  }

  return { change: (told: Change) => Effect.suspend(() => change(told)), outcome }
})
