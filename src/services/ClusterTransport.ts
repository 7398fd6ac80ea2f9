/**
 * The one way out to a control plane, for whatever is said over it: a byte stream over mutual TLS, straight or through a
 * forward proxy (reference `hybrid-protocol-v1.md` §1, §1.4). Nothing else opens a connection to a control plane, so that
 * proxy, certificates and limits hold for all of them. Neighbours are reached by the same certificates, and straight.
 */
import type { Duplex } from "node:stream"
import { Context, Data, type Effect, type Scope } from "effect"

/** From the first question to a name server until TLS stands, and for whatever handshake the caller has after it (§1). */
export { dialLimitMs } from "../model/session/limits.ts"

export interface ClusterEndpoint {
  readonly host: string
  readonly port: number
  /** The name that is expected in the certificate, and asked for unless it is an address; empty for the host, which is one. */
  readonly serverName: string
}

/** A neighbour is on this side of the forward proxy. */
export type OtherEnd = "control plane" | "neighbour"

export interface TransportOptions {
  /** Who is dialled; a control plane unless told. */
  readonly whom?: OtherEnd
  /** By which certificate we come and know the other end, while both count (`ClusterCredentials.former`). */
  readonly as?: "current" | "former"
  /** What is left of a caller's own limit; `dialLimitMs` unless told. */
  readonly limitMs?: number
}

/** No stream came about. The message names the host that failed, says what it did, and holds no secret. */
export class ClusterUnreachable extends Data.TaggedError("ClusterUnreachable")<{
  /**
   * - `failed`: no connection, no tunnel, no answer in time.
   * - `untrusted`: the other end's certificate does not hold.
   * - `brokenOff`: the other side ended the connection without a word, as with a certificate that it refuses.
   * - `refused`: a forward proxy answered with an HTTP status.
   */
  readonly reason: "failed" | "untrusted" | "brokenOff" | "refused"
  readonly message: string
  /** How long whoever refused asks to be left alone. */
  readonly retryAfterMs?: number
  /** What the WebSocket's own handshake was answered; none where a forward proxy refused. */
  readonly status?: number
}> {}

/** All that the other end lets those know whom it refuses (§1.3). */
export const brokenOffBy = (whom: OtherEnd): string =>
  `the ${whom} broke off without an answer, as with a certificate that it refuses: its log says why`

export const brokenOff = brokenOffBy("control plane")

export class ClusterTransport extends Context.Service<
  ClusterTransport,
  {
    /**
     * A connected stream in the caller's scope, verified in both directions. Closing the scope sends what was written
     * and ends the stream, within a second at most; a failure or an interruption leaves no socket behind. Errors of the
     * stream later on end it and nothing else: whoever reads learns of them by its end.
     */
    readonly connect: (
      to: ClusterEndpoint,
      options?: TransportOptions
    ) => Effect.Effect<Duplex, ClusterUnreachable, Scope.Scope>
  }
>()("holdfast/services/ClusterTransport") {}
