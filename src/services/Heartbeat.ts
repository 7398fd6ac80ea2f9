/**
 * Shows the control plane that the node lives and what it runs, and notices when the control plane no longer answers.
 * Rules: reference `hybrid-protocol-v1.md` §2 and §6.4, §6.5.
 */
import { Context, type Effect, type Queue } from "effect"
import type { ClusterSocket, SessionEnd } from "./ClusterDialer.ts"

export class Heartbeat extends Context.Service<
  Heartbeat,
  {
    /**
     * Pings with the running configuration's hash: at once, every 30 s, and whenever one is announced. Succeeds never;
     * fails when a ping can't be sent.
     */
    readonly beat: (socket: ClusterSocket) => Effect.Effect<never, SessionEnd>
    /** Fails once nothing has been taken from `seen`, where every received frame leaves a mark, for 45 s. */
    readonly watch: (seen: Queue.Dequeue<void>) => Effect.Effect<never, SessionEnd>
    /** Asks for a prompt ping: a configuration has just been applied. */
    readonly announce: Effect.Effect<void>
  }
>()("holdfast/services/Heartbeat") {}
