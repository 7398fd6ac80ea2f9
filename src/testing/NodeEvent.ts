/** What can be seen of a node from outside of it, each with its instant: what the checkers judge. */
import type { CompiledConfig } from "../model/CompiledConfig.ts"
import type { SessionEnd } from "../services/ClusterDialer.ts"
import type { LiveState, Rejection } from "../services/LiveConfig.ts"

/** What the part of a process that talks to the network tells; the machine adds the rest. */
export type Told =
  | Exclude<NodeHappening, { readonly _tag: "Announced" }>
  | { readonly _tag: "Announced"; readonly hash: string }

export type NodeHappening =
  /** A process began, with nothing in memory but what its disk gives it. */
  | { readonly _tag: "Started" }
  /** It was asked to stop, and says goodbye. */
  | { readonly _tag: "Stopping" }
  /** It ended: politely, by `kill -9`, or by a power cut. */
  | { readonly _tag: "Stopped"; readonly how: "stopped" | "killed" | "powerCut" }
  /** Its disk was changed by somebody else, or did what no order of calls survives: what it kept, nobody promises now. */
  | { readonly _tag: "Tampered"; readonly what: string }
  | { readonly _tag: "Suspended" }
  | { readonly _tag: "Resumed"; readonly forMs: number }
  | { readonly _tag: "Dialled" }
  | { readonly _tag: "DialFailed"; readonly message: string; readonly retryAfterMs: number | undefined }
  | { readonly _tag: "Opened" }
  /** Its side of the connection ended: by the node's own doing, or by the other side's or the network's. */
  | {
      readonly _tag: "Ended"
      readonly by: "node" | "peer"
      readonly reason: SessionEnd["reason"]
      readonly message: string
    }
  | {
      readonly _tag: "Received"
      readonly frame: "Binary" | "Text" | "Ping" | "Pong"
      readonly bytes: Uint8Array | undefined
    }
  | { readonly _tag: "Sent"; readonly bytes: Uint8Array }
  /** The hash that it says it runs, beside the one that it does run, and whether it says that this is on its disk. */
  | {
      readonly _tag: "Announced"
      readonly hash: string
      readonly applied: string | undefined
      readonly isPersisted: boolean
    }
  | { readonly _tag: "Serves"; readonly state: LiveState; readonly compiled: CompiledConfig }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }

export type NodeEvent = NodeHappening & {
  readonly node: string
  /** Monotonic milliseconds of the world. */
  readonly atMs: number
  /** Monotonic milliseconds of the node, which stand still while it is suspended. */
  readonly ownMs: number
}

export type Observe = (event: NodeEvent) => void
