/** Bringing what serves to the disk, and telling the machine what came of it. */
import { Effect } from "effect"
import type { SessionState } from "../../model/session/State.ts"
import { messageOf } from "../../model/thrown.ts"
import type { ConfigCacheError } from "../../services/ConfigCache.ts"
import { ConfigReceiver } from "../../services/ConfigReceiver.ts"
import { makeDetachedWrites } from "../../services/detachedWrites.ts"
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
  const begin = yield* makeDetachedWrites<"kept" | "moot", ConfigCacheError>(() => {
    const hash = owedHash(now())
    return hash === undefined ? Effect.succeed("moot") : receiver.persist(hash)
  })

  const persist = (hash: string): Effect.Effect<void> =>
    begin(receiver.persist(hash)).pipe(
      Effect.matchEffect({
        onSuccess: (outcome) => post({ _tag: outcome === "kept" ? "persisted" : "persistMoot" }),
        onFailure: ({ file, message }) => post({ _tag: "persistFailed", message: `${file}: ${message}` })
      }),
      Effect.catchDefect((defect) => post({ _tag: "persistFailed", message: messageOf(defect) }))
    )

  return { persist }
})
