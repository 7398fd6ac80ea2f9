/** The connected sessions, in memory: they end with the process anyway. */
import { Clock, Effect, Layer, Queue } from "effect"
import { ClusterHub, type Member, type Presence, type PushCounts } from "../services/control/ClusterHub.ts"
import type { Payload } from "../services/control/Payloads.ts"

interface Session extends Member, Presence {
  newest: Payload | undefined
}

const make = Effect.sync(() => {
  /** By what their holders know of them: a fleet that comes back at once must not cost its square. */
  const sessions = new Map<Member, Session>()
  let pushes: PushCounts = { count: 0, bytes: 0 }

  /** True when this is news to the session. */
  const offerTo = (session: Session, payload: Payload): boolean => {
    // A change that leaves the configuration as it was is nothing to send.
    const isNews = session.newest === undefined || payload.version > session.newest.version
    if (!isNews || payload.hash === session.newest?.hash) return false
    session.newest = payload
    return Queue.offerUnsafe(session.pending, payload)
  }

  const join = Effect.fnUntraced(function* (nodeId: string) {
    const pending = yield* Queue.sliding<Payload>(1)
    const session: Session = { nodeId, pending, sinceMs: yield* Clock.currentTimeMillis, newest: undefined }
    yield* Effect.acquireRelease(
      Effect.sync(() => sessions.set(session, session)),
      () => Effect.sync(() => sessions.delete(session))
    )
    return session as Member
  })

  return ClusterHub.of({
    join,
    offer: (member, payload) =>
      Effect.sync(() => {
        const session = sessions.get(member)
        if (session !== undefined) offerTo(session, payload)
      }),
    broadcast: (payload) =>
      Effect.sync(() => [...sessions.values()].filter((session) => offerTo(session, payload)).length),
    sent: (bytes) =>
      Effect.sync(() => {
        pushes = { count: pushes.count + 1, bytes: pushes.bytes + bytes }
      }),
    pushes: Effect.sync(() => pushes),
    present: Effect.sync(() => [...sessions.values()].map(({ nodeId, sinceMs }) => ({ nodeId, sinceMs })))
  })
})

export const layer: Layer.Layer<ClusterHub> = Layer.effect(ClusterHub, make)
