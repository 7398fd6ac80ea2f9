/**
 * Takes the configurations that a control plane pushes: only the newest pending one counts. It outlives sessions, so
 * that a running apply finishes when its session ends (`hybrid-protocol-v1.md` §6.6, §6.11).
 */
import { Context, type Effect } from "effect"

export class ConfigReceiver extends Context.Service<
  ConfigReceiver,
  {
    /** Leaves a payload to be applied; one that still waited is forgotten. Never blocks. */
    readonly receive: (payload: Uint8Array) => Effect.Effect<void>
  }
>()("holdfast/services/ConfigReceiver") {}
