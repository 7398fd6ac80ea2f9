/** Looks again at the files that a person may change while the node runs: what SIGHUP asks for. */
import { Context, type Effect } from "effect"

export class Reload extends Context.Service<
  Reload,
  {
    /** Both of them. Never fails: what is refused is told, and what serves goes on. */
    readonly all: Effect.Effect<void>
    readonly declarativeFile: Effect.Effect<void>
    readonly cache: Effect.Effect<void>
  }
>()("holdfast/services/Reload") {}
