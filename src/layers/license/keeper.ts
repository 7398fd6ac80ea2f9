/**
 * Writes what is to be kept, the newest only, in a fiber of its own: a disk that fails or never answers delays no judgement.
 * It is told once and asked again every minute. Before the end of a life what is left gets a last moment.
 */
import { Effect, Fiber, Queue, Semaphore } from "effect"
import type { ConfigCacheError, KeptText } from "../../services/ConfigCache.ts"
import { supervise } from "../../services/supervise.ts"

const retryDelay = "1 minute"
const patienceAtStop = "2 seconds"

export const makeKeeper = Effect.fnUntraced(function* (store: KeptText) {
  const bell = yield* Queue.sliding<void>(1)
  const oneAtATime = yield* Semaphore.make(1)
  let unwritten: string | undefined
  let isTold = false

  /** A call that the disk never answers can't be broken off: whoever is interrupted meanwhile leaves it behind. */
  const write = Effect.gen(function* () {
    const text = unwritten
    if (text === undefined) return
    yield* Effect.flatMap(Effect.forkDetach(store.write(text)), Fiber.join)
    isTold = false
    if (unwritten === text) unwritten = undefined
  }).pipe(oneAtATime.withPermit)

  const tell = ({ file, message }: ConfigCacheError) =>
    Effect.suspend(() => {
      if (isTold) return Effect.void
      isTold = true
      return Effect.logWarning("licence can't be kept apart; trying again").pipe(
        Effect.annotateLogs({ file, cause: message })
      )
    })

  const rest = Effect.suspend(() =>
    unwritten === undefined ? Queue.take(bell) : Effect.timeoutOption(Queue.take(bell), retryDelay)
  )
  yield* supervise("keeping the licence", Effect.forever(Effect.andThen(Effect.catch(write, tell), rest)))
  yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.ignore(write), patienceAtStop))

  return (text: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      unwritten = text
      return Effect.asVoid(Queue.offer(bell, undefined))
    })
})
