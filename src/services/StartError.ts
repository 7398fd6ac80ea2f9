/** Why a process could not start: every fault at once, in words for the person who starts it. */
import { Data } from "effect"
import { type Fault, formatFault } from "../model/Fault.ts"

export class StartError extends Data.TaggedError("StartError")<{
  readonly faults: ReadonlyArray<Fault>
  /** 2: wrong usage or settings. 1: the machine said no (a port in use, a disk that can't be written). */
  readonly exitCode: 1 | 2
}> {
  override get message(): string {
    return this.faults.map(formatFault).join("\n")
  }
}
