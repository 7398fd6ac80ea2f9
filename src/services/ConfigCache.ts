/**
 * The disk rung: the last configuration that a control plane sent, kept across restarts. The file is the config table
 * itself, so that `zcat … | jq` reads it and a person may copy it from one node to another.
 */
import { Context, Data, type Effect, type Option } from "effect"
import type { Snapshot } from "../model/Snapshot.ts"
import type { Offer } from "./LiveConfig.ts"

export class ConfigCacheError extends Data.TaggedError("ConfigCacheError")<{
  readonly operation: "read" | "write"
  readonly file: string
  /** What is wrong, in words for the person who looks after the node. */
  readonly message: string
}> {}

/** A cache that people may change behind the node's back (`resilience.md` §4). */
export interface CacheByHand {
  readonly file: string
  /** `own` is what this node wrote, or found when it started; `known` what it read here before; `foreign` all else. */
  readonly state: Effect.Effect<"own" | "known" | "foreign" | "absent">
  /** What stands there, which is known then, whatever comes of it. */
  readonly read: Effect.Effect<Option.Option<Offer>, ConfigCacheError>
}

export class ConfigCache extends Context.Service<
  ConfigCache,
  {
    /** None when there is no file: a deleted cache means an empty start. */
    readonly read: Effect.Effect<Option.Option<Offer>, ConfigCacheError>
    /** After success the configuration survives a power cut; after any failure the former file is whole. */
    readonly write: (snapshot: Snapshot) => Effect.Effect<void, ConfigCacheError>
    readonly byHand?: CacheByHand
  }
>()("holdfast/services/ConfigCache") {}
