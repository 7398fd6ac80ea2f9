/**
 * SIGUSR1 of a daemon: whoever rotates logs has moved the file away. It is heard by every daemon, for otherwise Node opens its
 * debugger at this signal.
 */
import { Effect, Layer, Queue } from "effect"
import { AccessLog } from "../services/AccessLog.ts"
import { supervise } from "../services/supervise.ts"

const signals = Effect.gen(function* () {
  const queue = yield* Queue.sliding<void>(1)
  const onSignal = () => void Queue.offerUnsafe(queue, undefined)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGUSR1", onSignal)),
    () => Effect.sync(() => process.off("SIGUSR1", onSignal))
  )
  return queue
})

const onEach = Effect.fnUntraced(function* (answer: Effect.Effect<void>) {
  const heard = yield* signals
  yield* supervise("log rotation on SIGUSR1", Effect.forever(Effect.andThen(Queue.take(heard), answer)))
})

export const reopenOnSignal: Layer.Layer<never, never, AccessLog> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { observe, reopen } = yield* AccessLog
    const answer = Effect.andThen(Effect.logInfo("SIGUSR1: opening the access log anew"), reopen)
    yield* onEach(observe === undefined ? Effect.void : answer)
  })
)

export const ignoreSignal: Layer.Layer<never> = Layer.effectDiscard(onEach(Effect.void))
