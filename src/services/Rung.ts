/**
 * One rung of the ladder: a place where a node may find a configuration. It offers what it has, one candidate after the
 * other, and learns what came of each; whether a candidate is right is not its concern (`DESIGN.md`, "The life of a
 * node", 2 and 3).
 */
import type { Effect } from "effect"
import type { Fault } from "../model/Fault.ts"
import type { Source } from "../model/Snapshot.ts"
import type { Offer } from "./LiveConfig.ts"

export type RungAnswer =
  | Candidate
  /** It has nothing: no file, nobody to ask. `reason` is for people. */
  | { readonly _tag: "Nothing"; readonly reason: string }
  /** It has something that can't be offered, told already or to be told; nothing further down this rung counts. */
  | { readonly _tag: "Unusable"; readonly faults: ReadonlyArray<Fault> }

export interface Candidate {
  readonly _tag: "Candidate"
  readonly offer: Offer
  /** It serves now: what the rung owes it, such as a generation that becomes the current file. */
  readonly served: Effect.Effect<void>
  /** It was refused: the rung puts it away with the reasons, and says what it has instead. */
  readonly refused: (reasons: ReadonlyArray<string>) => Effect.Effect<RungAnswer>
}

export interface Rung {
  readonly source: Source
  /** Its best candidate now. Never fails and never waits for long: a rung that has trouble says so in its answer. */
  readonly offer: Effect.Effect<RungAnswer>
}
