/** Why a drill could not be played to its end: of the promise that it is about, nothing is known then. */
import { Data } from "effect"

export class NotPlayable extends Data.TaggedError("NotPlayable")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}
