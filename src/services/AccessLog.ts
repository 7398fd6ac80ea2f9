/** One line for each request, for people and their tools; off unless a setting asks for it. */
import { Context, Effect, Layer } from "effect"
import type { RequestObserver } from "./RequestObservers.ts"

export class AccessLog extends Context.Service<
  AccessLog,
  {
    /** `undefined` where there is no access log, so that requests pay nothing for it. Never waits for a disk or a reader. */
    readonly observe: RequestObserver | undefined
    /** Goes on in the file that stands under the path now, which others may have moved away. */
    readonly reopen: Effect.Effect<void>
  }
>()("holdfast/services/AccessLog") {
  static readonly none = Layer.succeed(AccessLog, { observe: undefined, reopen: Effect.void })
}
