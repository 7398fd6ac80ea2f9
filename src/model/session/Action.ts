/**
 * What the session machine wants done, in the order in which it is to be begun. Whoever carries it out decides nothing;
 * every outcome comes back as an event.
 */
import type { EndFacts, Payload, ReportableRejection } from "./State.ts"

export type Action =
  /** Answers `opened`, or `ended`. */
  | { readonly _tag: "dial"; readonly dial: number }
  /** Sends the introduction. Answers `greeted`, or `ended`. */
  | { readonly _tag: "greet"; readonly dial: number }
  /** No answer: `ended` when it can't be sent. */
  | { readonly _tag: "ping"; readonly dial: number; readonly hash: string }
  /** Tells the control plane of a refusal. Answers `reported`, or `ended`. */
  | { readonly _tag: "report"; readonly dial: number; readonly rejection: ReportableRejection }
  /** Ends a dial, or the socket that it opened. No answer. */
  | { readonly _tag: "hangUp"; readonly dial: number }
  /** Answers `delayChosen`. `isFresh`: a session was live, so the policy starts anew. */
  | { readonly _tag: "chooseDelay"; readonly end: EndFacts; readonly isFresh: boolean }
  /** Reads, validates, compiles, swaps. Answers `applied`, `ignored`, `refused` or `applyFailed`. */
  | { readonly _tag: "apply"; readonly payload: Payload; readonly refused: ReadonlyArray<string> }
  /** Makes sure that what serves is on disk. Answers `persisted`, `persistMoot` or `persistFailed`. */
  | { readonly _tag: "persist"; readonly hash: string }
  /** For people, once a change. No answer. */
  | { readonly _tag: "tell"; readonly change: Change }

export type Change =
  | { readonly _tag: "connecting" }
  | { readonly _tag: "connected" }
  /** Connected for long enough to count as being back. */
  | { readonly _tag: "settled" }
  | { readonly _tag: "disconnected"; readonly end: EndFacts }
  | { readonly _tag: "persistSlow"; readonly hash: string }
  | { readonly _tag: "persistFailing"; readonly hash: string; readonly message: string }
  | { readonly _tag: "persistMended"; readonly hash: string }
  /** What was owed to the disk serves no more. */
  | { readonly _tag: "persistMoot" }
