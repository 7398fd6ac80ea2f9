/** A drill: one promise, and the steps that put it to the test. */
import type { StepFailed } from "../stage/Probe.ts"
import type { Step } from "../stage/Step.ts"
import type { Ground } from "./Ground.ts"
import type { NotPlayable } from "./NotPlayable.ts"

export type DrillStep = Step<Ground, StepFailed | NotPlayable>

export interface Drill {
  readonly name: string
  /** What is put to the test, in a sentence or two. */
  readonly promise: string
  /** Set when the node's clock and disk are steered. */
  readonly steered?: {
    /** What is not as in production, in words for the report. */
    readonly injected: ReadonlyArray<string>
  }
  /** Set when the control plane signs and exports, and a neighbour gives its configuration (`signedCluster.ts`). */
  readonly isSigned?: true
  readonly steps: ReadonlyArray<DrillStep>
}
