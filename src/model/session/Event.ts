/** What happens to a session machine. Everything that it must know comes in here: the time, the delay, every outcome. */
import type { EndFacts, Payload, ReportableRejection } from "./State.ts"

interface Timed {
  /** Monotonic. */
  readonly nowMs: number
}

/** Comes from one dial or from what it opened. */
interface OfDial extends Timed {
  readonly dial: number
}

export type SessionEvent =
  | ({ readonly _tag: "started" } & Timed)
  | ({ readonly _tag: "stopped" } & Timed)
  /** The deadline that the state named has come; harmless when it has not. */
  | ({ readonly _tag: "tick" } & Timed)
  | ({ readonly _tag: "opened" } & OfDial)
  | ({ readonly _tag: "greeted" } & OfDial)
  /** Any frame is a sign of life; a binary one carries a payload. */
  | ({ readonly _tag: "frame"; readonly payload?: Payload } & OfDial)
  | ({ readonly _tag: "ended"; readonly end: EndFacts } & OfDial)
  /** The reconnect policy's answer. */
  | ({ readonly _tag: "delayChosen"; readonly delayMs: number } & Timed)
  /** What came of the payload that was being applied. */
  | ({ readonly _tag: "applied"; readonly hash: string } & Timed)
  | ({ readonly _tag: "ignored" } & Timed)
  | ({
      readonly _tag: "refused"
      /** Names what was refused, apart from what differs from push to push; the payload's own name where it has none. */
      readonly content: string
      /** Absent when it was refused before: nobody is told twice. */
      readonly rejection?: ReportableRejection
    } & Timed)
  /** Memory, say: the same bytes may do a moment later. */
  | ({ readonly _tag: "applyFailed" } & Timed)
  /** Another part of the node changed what serves: a person, a rung. It is where it belongs already. */
  | ({ readonly _tag: "served"; readonly hash: string } & Timed)
  /** What came of the write that was under way. */
  | ({ readonly _tag: "persisted" } & Timed)
  /** Nothing was written, for something else serves: a `served` tells of it. */
  | ({ readonly _tag: "persistMoot" } & Timed)
  | ({ readonly _tag: "persistFailed"; readonly message: string } & Timed)
  /** Whichever session it went over: what was sent is not sent again. */
  | ({ readonly _tag: "reported"; readonly id: number } & Timed)
