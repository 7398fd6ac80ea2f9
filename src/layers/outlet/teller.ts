/**
 * Tells people of what the machine did: the status at any moment, the log once a change. While the control plane is away
 * there is a summary every five minutes: a day of that is not 11,000 lines. A control plane that takes each introduction
 * and closes at once is away, too: an outage is over when a session has settled, and not before.
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

interface Outage {
  readonly sinceMs: number
  summarisedAtMs: number
  /** Ends of sessions and failed dials since it began. */
  attempts: number
  /** Sessions meanwhile that did not last. */
  connects: number
}

export const makeTeller = Effect.gen(function* () {
  const status = yield* ConnectionStatus
  const health = yield* NodeHealth
  const clock = yield* TrustedClock
  let outage: Outage | undefined
  let isShort = false

  const since = Effect.gen(function* () {
    return { sinceMs: yield* clock.nowMs, sinceMonotonicMs: yield* monotonicMs }
  })

  const becomeConnecting = Effect.gen(function* () {
    yield* SubscriptionRef.set(status, { _tag: "connecting", ...(yield* since) })
  })

  const sayConnected = Effect.logInfo("control plane connected")

  const becomeConnected = Effect.gen(function* () {
    yield* SubscriptionRef.set(status, { _tag: "connected", ...(yield* since) })
    MutableRef.update(health.connection, (counts) => ({ ...counts, sessions: counts.sessions + 1 }))
    if (outage !== undefined) outage.connects++
    if (outage === undefined || outage.connects === 1) yield* sayConnected
  })

  /** The first connection of an outage was told at once; one after others that did not last is told now. */
  const becomeSettled = Effect.suspend(() => {
    const isUntold = outage !== undefined && outage.connects > 1
    outage = undefined
    return isUntold ? sayConnected : Effect.void
  })

  const summarise = Effect.fnUntraced(function* (
    known: Outage,
    facts: { readonly reason: string; readonly cause: string }
  ) {
    const nowMs = yield* monotonicMs
    if (nowMs - known.summarisedAtMs < summaryIntervalMs)
      return yield* Effect.logDebug("dial failed").pipe(Effect.annotateLogs(facts))
    known.summarisedAtMs = nowMs
    const forSeconds = Math.round((nowMs - known.sinceMs) / 1000)
    return yield* Effect.logWarning("control plane still away; serving goes on").pipe(
      Effect.annotateLogs({ ...facts, attempts: known.attempts, forSeconds })
    )
  })

  const becomeDisconnected = Effect.fnUntraced(function* ({ reason, message }: EndFacts) {
    const facts = { reason, cause: message }
    const before = yield* SubscriptionRef.get(status)
    const began = yield* since
    // The end of a session is no failed dial: the session was counted.
    if (before._tag !== "connected")
      MutableRef.update(health.connection, (counts) => ({ ...counts, failedDials: counts.failedDials + 1 }))
    if (before._tag === "disconnected") {
      yield* SubscriptionRef.set(status, { ...before, attempts: before.attempts + 1, reason: message })
    } else {
      const attempts = before._tag === "connecting" ? 1 : 0
      yield* SubscriptionRef.set(status, { _tag: "disconnected", ...began, attempts, reason: message })
    }
    const isUntold = outage === undefined || (outage.connects === 1 && before._tag === "connected")
    const { sinceMonotonicMs: sinceMs } = began
    outage ??= { sinceMs, summarisedAtMs: sinceMs, attempts: 0, connects: 0 }
    outage.attempts++
    if (!isUntold) return yield* summarise(outage, facts)
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
      case "settled":
        return becomeSettled
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
      case "persistMoot":
        MutableRef.set(health.cacheProblem, undefined)
        return Effect.logDebug("nothing is owed to the disk any more: something else serves")
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
