/**
 * A write that has begun can't be interrupted. So each has a life of its own, and a disk that never answers keeps no stop
 * waiting for longer than patience: within that the write under way may end, and what is owed then is tried once more.
 */
import { Effect, Fiber } from "effect"
import { persistPatienceMs } from "../model/session/limits.ts"

/**
 * Gives what begins a write and waits for it; whoever waits can be interrupted. `owed` is asked when the scope closes, and
 * gives nothing to do where nothing is.
 */
export const makeDetachedWrites = Effect.fnUntraced(function* <A, E>(owed: () => Effect.Effect<A, E>) {
  let underWay: Fiber.Fiber<A, E> | undefined

  const begin = Effect.fnUntraced(function* (write: Effect.Effect<A, E>) {
    underWay = yield* Effect.forkDetach(write, { startImmediately: true })
    return yield* Fiber.join(underWay)
  })

  const lastTry = Effect.gen(function* () {
    if (underWay !== undefined) yield* Fiber.await(underWay)
    yield* begin(owed())
  })
  // A side of a race can be interrupted, also in a finalizer.
  yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.exit(lastTry), persistPatienceMs))

  return begin
})
