import type { Steps } from "../../src/model/steps.ts"

/** What comes of work that is done in steps, without anybody between two of them. */
export const atOnce = <A>(steps: Steps<A>): A => {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
