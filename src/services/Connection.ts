/** The life of a node's connection to its control plane: connect, stay, come back, for ever. */
import { Context, type Effect } from "effect"

/** When a state began: the date by the trusted clock, and a moment of the monotonic one, by which it lasts. */
export interface Since {
  readonly sinceMs: number
  readonly sinceMonotonicMs: number
}

export type ConnectionState =
  /** No `cluster_control_plane`: a node on its own. */
  | ({ readonly _tag: "disabled" } & Since)
  | ({ readonly _tag: "connecting" } & Since)
  | ({ readonly _tag: "connected" } & Since)
  | (Since & {
      readonly _tag: "disconnected"
      /** Attempts since the connection was last there. */
      readonly attempts: number
      readonly reason: string
    })

export class Connection extends Context.Service<
  Connection,
  {
    /** Runs until interrupted: whatever ends a session, the next attempt follows. */
    readonly run: Effect.Effect<never>
  }
>()("holdfast/services/Connection") {}
