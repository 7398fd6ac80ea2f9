/**
 * SIGUSR1 of a daemon: whoever rotates logs has moved the file away. Every daemon hears it, for otherwise Node opens its debugger
 * at this signal.
 */
import { Effect, Layer } from "effect"
import { AccessLog } from "../services/AccessLog.ts"
import { answerEach, type Heard } from "./heardSignals.ts"

const onEach = (heard: Heard, answer: Effect.Effect<void>) => answerEach("log rotation on SIGUSR1", heard, answer)

export const reopenOn = (heard: Heard): Layer.Layer<never, never, AccessLog> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { observe, reopen } = yield* AccessLog
      const answer = Effect.andThen(Effect.logInfo("SIGUSR1: opening the access log anew"), reopen)
      yield* onEach(heard, observe === undefined ? Effect.void : answer)
    })
  )

export const ignore = (heard: Heard): Layer.Layer<never> => Layer.effectDiscard(onEach(heard, Effect.void))
