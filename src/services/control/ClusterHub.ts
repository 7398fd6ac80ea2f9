/** The sessions of the data planes that are connected now. */
import { Context, type Effect, type Queue, type Scope } from "effect"
import type { Payload } from "./Payloads.ts"

export interface Member {
  /** What is to be sent next. One place: a payload that waits is replaced by a newer one. */
  readonly pending: Queue.Queue<Payload>
}

export interface Presence {
  readonly nodeId: string
  readonly sinceMs: number
}

/** Of configurations on the wire, one for each session that was sent one, since the control plane started. */
export interface PushCounts {
  readonly count: number
  readonly bytes: number
}

export class ClusterHub extends Context.Service<
  ClusterHub,
  {
    /** Present until the scope closes. */
    readonly join: (nodeId: string) => Effect.Effect<Member, never, Scope.Scope>
    /** Offers to one session; nothing older replaces anything newer. */
    readonly offer: (member: Member, payload: Payload) => Effect.Effect<void>
    /** Offers to every session, and waits for none. Says to how many it was news. */
    readonly broadcast: (payload: Payload) => Effect.Effect<number>
    /** A session has sent a configuration of so many bytes. */
    readonly sent: (bytes: number) => Effect.Effect<void>
    readonly pushes: Effect.Effect<PushCounts>
    readonly present: Effect.Effect<ReadonlyArray<Presence>>
  }
>()("holdfast/services/control/ClusterHub") {}
