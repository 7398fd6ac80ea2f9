/** The life of a node's connection to its control plane: connect, stay, come back, for ever. */
import { Context, type Effect } from "effect"

export type ConnectionState =
  /** No `cluster_control_plane`: a node on its own. */
  | { readonly _tag: "disabled"; readonly sinceMs: number }
  | { readonly _tag: "connecting"; readonly sinceMs: number }
  | { readonly _tag: "connected"; readonly sinceMs: number }
  | {
      readonly _tag: "disconnected"
      readonly sinceMs: number
      /** Attempts since the connection was last there. */
      readonly attempts: number
      readonly reason: string
    }

export class Connection extends Context.Service<
  Connection,
  {
    /** Runs until interrupted: whatever ends a session, the next attempt follows. */
    readonly run: Effect.Effect<never>
  }
>()("holdfast/services/Connection") {}
