/**
 * Signals that ask a daemon for something. They are heard from the first moment on, for a daemon that is still starting must
 * not die of one; what came before there was anybody to answer waits, once.
 */
import { Effect, Queue } from "effect"
import { supervise } from "../services/supervise.ts"

export type Heard = Queue.Dequeue<void>

export const hear = (signal: "SIGHUP" | "SIGUSR1") =>
  Effect.gen(function* () {
    const queue = yield* Queue.sliding<void>(1)
    const onSignal = () => void Queue.offerUnsafe(queue, undefined)
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on(signal, onSignal)),
      () => Effect.sync(() => process.off(signal, onSignal))
    )
    return queue as Heard
  })

/** `name`: of the fiber, should it fail. */
export const answerEach = (name: string, heard: Heard, answer: Effect.Effect<void>) =>
  supervise(name, Effect.forever(Effect.andThen(Queue.take(heard), answer)))
