/** Refusals and failures are answers too. */
import { Effect } from "effect"
import { type AdminAnswer, answers, refusalAnswer } from "../../model/AdminErrors.ts"
import { StoreFailed, type WriteError, WriteRefused } from "../../services/control/ConfigStore.ts"

export const answerFailures = <R>(
  answer: Effect.Effect<AdminAnswer, AdminAnswer | WriteError, R>
): Effect.Effect<AdminAnswer, never, R> =>
  Effect.catch(answer, (error): Effect.Effect<AdminAnswer> => {
    if (error instanceof WriteRefused) return Effect.succeed(refusalAnswer(error.refusal))
    if (!(error instanceof StoreFailed)) return Effect.succeed(error)
    return Effect.as(Effect.logError("admin request failed", error), answers.failed)
  })
