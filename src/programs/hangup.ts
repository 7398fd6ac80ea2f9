/**
 * SIGHUP of a daemon: look at the files again. It is heard from the first moment on, for a node that is still starting
 * must not die of it; what came before there was anything to reload waits, once.
 */
import { Effect, Layer, Queue } from "effect"
import { Reload } from "../services/Reload.ts"
import { supervise } from "../services/supervise.ts"

export type Hangups = Queue.Dequeue<void>

export const hangups = Effect.gen(function* () {
  const queue = yield* Queue.sliding<void>(1)
  const onHangup = () => void Queue.offerUnsafe(queue, undefined)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGHUP", onHangup)),
    () => Effect.sync(() => process.off("SIGHUP", onHangup))
  )
  return queue as Hangups
})

const onEach = (heard: Hangups, answer: Effect.Effect<void>) =>
  supervise("reload on SIGHUP", Effect.forever(Effect.andThen(Queue.take(heard), answer)))

/** For a node that has files to look at. */
export const reloadOn = (heard: Hangups): Layer.Layer<never, never, Reload> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const reload = yield* Reload
      yield* onEach(heard, Effect.andThen(Effect.logInfo("SIGHUP: looking at the files again"), reload.all))
    })
  )

/** For one that has none: its entities stand in its store. */
export const ignore = (heard: Hangups): Layer.Layer<never> =>
  Layer.effectDiscard(onEach(heard, Effect.logInfo("SIGHUP ignored: there is no file to reload")))
