/**
 * One rung of the ladder: a place where a node may find a configuration. It offers what it has, one candidate after the
 * other, and learns what came of each; whether a candidate is right is not its concern (`DESIGN.md`, "The life of a
 * node", 2 and 3).
 *
 * Whoever asks goes from answer to answer until one serves or there is nothing left, and leaves out no step: what a
 * rung owes a candidate that serves or was refused is done there. All of this is safe to stop anywhere, as a crash does.
 */
import { Context, type Effect, Layer } from "effect"
import type { Fault } from "../model/Fault.ts"
import type { RungSource } from "../model/Snapshot.ts"
import type { ConfigRejected, Offer } from "./LiveConfig.ts"

export type RungAnswer =
  | Candidate
  | Unusable
  /** It has nothing, or nothing more: no file, nobody to ask. `reason` is for people. */
  | { readonly _tag: "Nothing"; readonly reason: string }

/** Something that may serve. A rung never offers again, in one go, what was refused. */
export interface Candidate {
  readonly _tag: "Candidate"
  readonly offer: Offer
  /** It serves now: what the rung owes it, such as a generation that becomes the current file. */
  readonly served: Effect.Effect<void>
  /** It was refused: the rung puts it away with the reasons, and says what it has instead. */
  readonly refused: (rejected: ConfigRejected) => Effect.Effect<RungAnswer>
}

/** Something that can't even be offered: unreadable, torn, in a foreign format. */
export interface Unusable {
  readonly _tag: "Unusable"
  /** At which step it was refused, such as `gzip`. */
  readonly stage: string
  readonly faults: ReadonlyArray<Fault>
  /** Puts it away with the reasons, and says what the rung has instead. */
  readonly next: Effect.Effect<RungAnswer>
}

export interface Rung {
  readonly source: RungSource
  /** Its best candidate now. Never fails: a rung that has trouble says so in its answer. */
  readonly offer: Effect.Effect<RungAnswer>
}

/** The rungs that need the network. They are asked while the control plane can't be reached and they are better than what serves. */
export class RemoteRungs extends Context.Service<RemoteRungs, ReadonlyArray<Rung>>()("holdfast/services/RemoteRungs") {
  static readonly none = Layer.succeed(RemoteRungs, [])
}
