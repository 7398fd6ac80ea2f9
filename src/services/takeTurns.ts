/** Long work on the thread that serves: between two of its steps everybody else has a turn. */
import { Effect } from "effect"
import type { Steps } from "../model/steps.ts"

export const takeTurns = <A>(start: () => Steps<A>): Effect.Effect<A> =>
  Effect.gen(function* () {
    const steps = start()
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      yield* Effect.yieldNow
    }
  })
