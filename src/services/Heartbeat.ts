/**
 * The two things that keep a session alive and notice when it is not: the ping, and the one timer of the session machine,
 * which decides when either is due (`hybrid-protocol-v1.md` §2 and §6.4, §6.5).
 */
import { Context, type Effect, type Scope } from "effect"
import type { ClusterSocket, SessionEnd } from "./ClusterDialer.ts"

export interface Alarm {
  /** Monotonic milliseconds; replaces what was set before. `undefined`: nothing is waited for. */
  readonly set: (deadlineMs: number | undefined) => Effect.Effect<void>
}

export class Heartbeat extends Context.Service<
  Heartbeat,
  {
    /** A ping that carries the hash; fails when it can't be sent. */
    readonly ping: (socket: ClusterSocket, hash: string) => Effect.Effect<void, SessionEnd>
    /** One timer at most, however often it is set. It rings once the deadline has come, and is then to be set again. */
    readonly alarm: (ring: Effect.Effect<void>) => Effect.Effect<Alarm, never, Scope.Scope>
  }
>()("holdfast/services/Heartbeat") {}
