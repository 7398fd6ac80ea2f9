/**
 * Takes what a control plane pushed, one payload at a time, and brings what serves to the disk. What is taken when, and
 * what is tried again, the session machine decides (`model/session/step.ts`); here it is only done.
 */
import { Context, type Effect } from "effect"
import type { Payload } from "../model/session/State.ts"
import type { ConfigCacheError } from "./ConfigCache.ts"
import type { ConfigRejected } from "./LiveConfig.ts"

export type ApplyOutcome =
  /** It serves, or served already under this hash. */
  | { readonly _tag: "applied"; readonly hash: string }
  /** A message of a type that nobody knows (`hybrid-protocol-v1.md` §4). */
  | { readonly _tag: "ignored" }
  /** The same would be refused again. Told to people and kept in the status, unless it was refused before. */
  | { readonly _tag: "refused"; readonly content: string; readonly rejected?: ConfigRejected }
  /** Not the payload's fault: it may do a moment later. */
  | { readonly _tag: "failed"; readonly message: string }

export class ConfigReceiver extends Context.Service<
  ConfigReceiver,
  {
    /**
     * Reads, validates, compiles, swaps. A failure leaves everything as it was. `refused` holds the names of contents
     * that were refused before: one that comes again, in other bytes, is not tried.
     */
    readonly apply: (payload: Payload, refused: ReadonlyArray<string>) => Effect.Effect<ApplyOutcome>
    /** Makes sure that the configuration of this hash is on disk: `moot` when it serves no more, and nothing was written. */
    readonly persist: (hash: string) => Effect.Effect<"kept" | "moot", ConfigCacheError>
  }
>()("holdfast/services/ConfigReceiver") {}
