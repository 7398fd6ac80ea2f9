/**
 * SIGUSR1 of a daemon: whoever rotates logs has moved the file away. It is heard by every daemon, and from the first moment on, for
 * otherwise Node opens its debugger at this signal; what came before there was a log waits, once.
 */
import { Effect, Layer, Queue } from "effect"
import { AccessLog } from "../services/AccessLog.ts"
import { supervise } from "../services/supervise.ts"

export type Rotations = Queue.Dequeue<void>

export const rotations = Effect.gen(function* () {
  const queue = yield* Queue.sliding<void>(1)
  const onSignal = () => void Queue.offerUnsafe(queue, undefined)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGUSR1", onSignal)),
    () => Effect.sync(() => process.off("SIGUSR1", onSignal))
  )
  return queue as Rotations
})

const onEach = (heard: Rotations, answer: Effect.Effect<void>) =>
  supervise("log rotation on SIGUSR1", Effect.forever(Effect.andThen(Queue.take(heard), answer)))

export const reopenOn = (heard: Rotations): Layer.Layer<never, never, AccessLog> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { observe, reopen } = yield* AccessLog
      const answer = Effect.andThen(Effect.logInfo("SIGUSR1: opening the access log anew"), reopen)
      yield* onEach(heard, observe === undefined ? Effect.void : answer)
    })
  )

export const ignore = (heard: Rotations): Layer.Layer<never> => Layer.effectDiscard(onEach(heard, Effect.void))
