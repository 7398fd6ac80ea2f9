/** A drill: one promise, and the steps that put it to the test. */
import type { Step } from "../stage/Step.ts"
import type { Ground } from "./Ground.ts"

export interface Drill {
  readonly name: string
  /** What is put to the test, in a sentence or two. */
  readonly promise: string
  /** Set when the node's clock and disk are steered. */
  readonly steered?: {
    /** What is not as in production, in words for the report. */
    readonly injected: ReadonlyArray<string>
    /** How far the node's wall clock is off at its start, when the machine's says this. */
    readonly wallErrorMs?: (nowMs: number) => number
  }
  readonly steps: ReadonlyArray<Step<Ground>>
}
