/** One step of a story: it checks that what it does truly happened, and ends in words for one line. */
import type { Effect } from "effect"
import type { StepFailed } from "./Probe.ts"

export interface Step<On, E = StepFailed> {
  readonly title: string
  readonly play: (on: On) => Effect.Effect<string, E>
}
