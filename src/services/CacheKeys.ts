/**
 * The keys of the encrypted cache (`docs/cache-encryption.md`). A key that files may still be under is kept until whoever
 * keeps the files says that none is: `known` gains the new key, the files are written anew, `settled` drops the old ones.
 */
import { Context, type Effect, type SubscriptionRef } from "effect"
import type { CacheKey } from "../model/CacheKey.ts"

export interface KnownKeys {
  /** What files are written with; `undefined` when they are written in plain. */
  readonly newest: CacheKey | undefined
  /** What files are read with, the newest among them. */
  readonly readable: ReadonlyArray<CacheKey>
}

export class CacheKeys extends Context.Service<
  CacheKeys,
  {
    readonly known: SubscriptionRef.SubscriptionRef<KnownKeys>
    /**
     * Sees now whether the key has been replaced: before a stop, for the next start will know no other. Does nothing
     * when that can't be seen, and for a key that no start would accept.
     */
    readonly lookAgain: Effect.Effect<void>
    /** Every file is as this key would write it. What no setting names is forgotten, unless yet another key came. */
    readonly settled: (newest: CacheKey | undefined) => Effect.Effect<void>
  }
>()("holdfast/services/CacheKeys") {}
