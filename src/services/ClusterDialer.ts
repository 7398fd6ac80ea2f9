/**
 * One WebSocket to the control plane, over mutual TLS: reference `hybrid-protocol-v1.md` §1. Opening, sending,
 * receiving; what is said over it is the Connection's concern.
 */
import { Context, Data, type Effect, type Queue, type Scope } from "effect"

/** Why there is no session: the dial failed, or the session ended. Always followed by another attempt. */
export class SessionEnd extends Data.TaggedError("SessionEnd")<{
  /**
   * - `dialFailed`: no WebSocket came about, and nobody said why in HTTP.
   * - `refused`: the control plane, what stands before it, or the forward proxy answered with an HTTP status.
   * - `closed`, `broken`, `silent`: a session that was has ended.
   */
  readonly reason: "dialFailed" | "refused" | "closed" | "broken" | "silent"
  readonly message: string
  /** Of a refusal with `Retry-After`: how long whoever refused asks to be left alone, however long. */
  readonly retryAfterMs?: number
  /** Of a refusal by who answers for the control plane's address: its HTTP status. */
  readonly status?: number
}> {}

export type Frame =
  | { readonly _tag: "Binary"; readonly bytes: Uint8Array }
  | { readonly _tag: "Text" }
  | { readonly _tag: "Ping" }
  | { readonly _tag: "Pong" }

export interface ClusterSocket {
  /** In order of arrival; fails when the socket has ended. */
  readonly frames: Queue.Dequeue<Frame, SessionEnd>
  /** One unfragmented, uncompressed binary frame. */
  readonly send: (bytes: Uint8Array) => Effect.Effect<void, SessionEnd>
  readonly ping: (payload: string) => Effect.Effect<void, SessionEnd>
}

export class ClusterDialer extends Context.Service<
  ClusterDialer,
  {
    /** A fresh socket in the caller's scope; closing the scope ends it, politely first, then for good. */
    readonly dial: Effect.Effect<ClusterSocket, SessionEnd, Scope.Scope>
  }
>()("holdfast/services/ClusterDialer") {}
