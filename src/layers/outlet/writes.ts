/**
 * Bringing what serves to the disk. A write that has begun can't be interrupted: each has a life of its own, so that a disk
 * that never answers keeps no stop waiting for longer than patience.
 */
import { Effect, Fiber } from "effect"
import { persistPatienceMs } from "../../model/session/limits.ts"
import type { SessionState } from "../../model/session/State.ts"
import { messageOf } from "../../model/thrown.ts"
import type { ConfigCacheError } from "../../services/ConfigCache.ts"
import { ConfigReceiver } from "../../services/ConfigReceiver.ts"
import type { Post } from "./post.ts"

/** What a stop would leave unwritten: what serves, while it is owed, or came after the write that is under way. */
const owedHash = ({ persist }: SessionState): string | undefined => {
  switch (persist.phase) {
    case "idle":
      return undefined
    case "retrying":
      return persist.hash
    case "writing":
      return persist.next
  }
}

export const makeWrites = Effect.fnUntraced(function* (post: Post, now: () => SessionState) {
  const receiver = yield* ConfigReceiver
  let underWay: Fiber.Fiber<"kept" | "moot", ConfigCacheError> | undefined

  const begin = Effect.fnUntraced(function* (hash: string) {
    underWay = yield* Effect.forkDetach(receiver.persist(hash), { startImmediately: true })
    return yield* Fiber.join(underWay)
  })

  const persist = (hash: string): Effect.Effect<void> =>
    begin(hash).pipe(
      Effect.matchEffect({
        onSuccess: (outcome) => post({ _tag: outcome === "kept" ? "persisted" : "persistMoot" }),
        onFailure: ({ file, message }) => post({ _tag: "persistFailed", message: `${file}: ${message}` })
      }),
      Effect.catchDefect((defect) => post({ _tag: "persistFailed", message: messageOf(defect) }))
    )

  const lastTry = Effect.gen(function* () {
    if (underWay !== undefined) yield* Fiber.await(underWay)
    const hash = owedHash(now())
    if (hash !== undefined) yield* begin(hash)
  })
  yield* Effect.addFinalizer(() =>
    lastTry.pipe(Effect.exit, Effect.interruptible, Effect.timeoutOption(persistPatienceMs))
  )

  return { persist }
})
