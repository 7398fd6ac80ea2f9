/** The reconnect policy, stepped once for each end of a session or failed dial. Whatever becomes of it, there is a delay. */
import { Cause, Duration, Effect, Exit, Random, Schedule } from "effect"
import { reconnectDelayMs } from "../model/reconnectDelay.ts"
import type { EndFacts } from "../model/session/State.ts"
import { SessionEnd } from "./ClusterDialer.ts"
import { monotonicMs } from "./monotonic.ts"
import { ReconnectPolicy, type ReconnectSchedule, reconnectDelayMaxMs } from "./ReconnectPolicy.ts"

type Advance = Effect.Success<ReturnType<typeof stepsOf>>

const stepsOf = (schedule: ReconnectSchedule) => Schedule.toStep(schedule)

export const makeDelays = Effect.gen(function* () {
  const { schedule, retryAfterMaxMs: capMs } = yield* ReconnectPolicy
  let advance: Advance | undefined
  /** Kept when the policy runs out: the promise to try for ever does not. */
  let lastMs = reconnectDelayMaxMs

  const ask = Effect.fnUntraced(function* (end: SessionEnd) {
    advance ??= yield* stepsOf(schedule)
    const [, delay] = yield* advance(yield* monotonicMs, end)
    return Duration.toMillis(delay)
  })

  const policyMs = Effect.fnUntraced(function* (end: SessionEnd) {
    const exit = yield* Effect.exit(ask(end))
    if (Exit.isSuccess(exit)) lastMs = exit.value
    else if (exit.cause.reasons.some(Cause.isDieReason)) yield* Effect.logError("reconnect policy failed", exit.cause)
    return lastMs
  })

  /** Milliseconds to wait. After a session that was live the policy starts anew. */
  const next = Effect.fnUntraced(function* (end: EndFacts, isFresh: boolean) {
    if (isFresh) {
      advance = undefined
      lastMs = reconnectDelayMaxMs
    }
    const chosenMs = yield* policyMs(end instanceof SessionEnd ? end : new SessionEnd(end))
    return reconnectDelayMs(chosenMs, { retryAfterMs: end.retryAfterMs, capMs, share: yield* Random.next })
  })

  return { next }
})
