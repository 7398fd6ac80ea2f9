/** How outcomes come back to the machine: with the moment at which they happened. */
import type { Effect } from "effect"
import type { SessionEvent } from "../../model/session/Event.ts"

export type Untimed<E> = E extends SessionEvent ? Omit<E, "nowMs"> : never

export type Post = (event: Untimed<SessionEvent>) => Effect.Effect<void>
