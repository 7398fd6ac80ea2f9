/** Tells that a file has changed, whoever changed it and however: written in place, renamed over, made anew, its folder too. */
import { Context, type Effect } from "effect"

export interface WatchedFile {
  /** Returns once the file differs from when it was last looked at, and rests: half a file is no change. */
  readonly changed: Effect.Effect<void>
}

export class FileWatch extends Context.Service<
  FileWatch,
  {
    /**
     * Looks at the file now; what changes from here on is told, also while nobody waits. Does not wait for a disk that
     * does not answer: what is seen there once it does counts as a change.
     */
    readonly watch: (file: string) => Effect.Effect<WatchedFile>
  }
>()("holdfast/services/FileWatch") {}
