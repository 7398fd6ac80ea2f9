/**
 * The disk rung: the last configuration that was sent, kept across restarts, and a few older ones for when it turns out
 * to be damaged. The file is the config table itself, so that `zcat … | jq` reads it and a person may copy it from one
 * node to another.
 */
import { Context, Data, type Effect } from "effect"
import type { Snapshot } from "../model/Snapshot.ts"
import type { Rung, RungAnswer } from "./Rung.ts"

export class ConfigCacheError extends Data.TaggedError("ConfigCacheError")<{
  readonly operation: "read" | "write"
  readonly file: string
  /** What is wrong, in words for the person who looks after the node. */
  readonly message: string
  /** Node's own name for it, where the disk or the memory refused: `ENOSPC`, `EROFS`, `ENOMEM`, …. Without one, trying again is no use. */
  readonly code?: string
}> {}

/** A cache that people may change behind the node's back (`resilience.md` §4). */
export interface CacheByHand {
  readonly file: string
  /** What stands there now counts as the node's own: it changes from here on. */
  readonly adopt: Effect.Effect<void>
  /**
   * Of what stood there last, `own` is what this node wrote, adopted or found, `known` what it read of a person's; `foreign`
   * all else, also what was the one or the other before.
   */
  readonly state: Effect.Effect<"own" | "known" | "foreign" | "absent">
  /** What stands there, which is known then, whatever comes of it. Refused, it stays there, and a copy is put away. */
  readonly offer: Effect.Effect<RungAnswer>
}

/**
 * A small text of its own beside the configurations, protected as they are, that outlives each of them: the licence that
 * counts (`model/KeptLicense.ts`).
 */
export interface KeptText {
  readonly file: string
  /** `undefined` when there is none; none is left when the cache was deleted, for that means forget. */
  readonly read: Effect.Effect<string | undefined, ConfigCacheError>
  /** After success it survives a power cut; after any failure the former one is whole. */
  readonly write: (text: string) => Effect.Effect<void, ConfigCacheError>
}

/** A file of the cache that could not be read, and so is as it was. */
export interface LeftAside {
  readonly file: string
  readonly reason: string
  /** Which key it asks for, where it says so; may be shown. */
  readonly keyId: string | undefined
}

export interface WritableRung extends Rung {
  /**
   * After success the configuration survives a power cut; after any failure the former file is whole. `isStillWanted` is
   * asked when no other write is under way and none can come in between: on false nothing is written, and that is success.
   */
  readonly write: (snapshot: Snapshot, isStillWanted?: Effect.Effect<boolean>) => Effect.Effect<void, ConfigCacheError>
  readonly byHand?: CacheByHand
  /** Writes anew what is not protected as it would be if it were written now (`CacheProtection`), and tells of the rest. */
  readonly renew?: Effect.Effect<ReadonlyArray<LeftAside>, ConfigCacheError>
  readonly keptLicense?: KeptText
}

export class ConfigCache extends Context.Service<ConfigCache, WritableRung>()("holdfast/services/ConfigCache") {}
