/** When former keys of the cache may be forgotten: `docs/cache-encryption.md`, "Changes". */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { makeCacheKey } from "../../src/model/CacheKey.ts"
import { CacheKeys, type KnownKeys } from "../../src/services/CacheKeys.ts"
import { keepCacheRenewed } from "../../src/services/CacheRenewal.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { settle } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"

const key = (value: number) => makeCacheKey(new Uint8Array(32).fill(value))

it.effect(
  "a key that came and went while files were written anew is not forgotten before they are written once more",
  () =>
    Effect.gen(function* () {
      const [one, two] = [key(1), key(2)]
      const known = yield* SubscriptionRef.make<KnownKeys>({ newest: one, readable: [one] })
      const steps: Array<string> = []
      const renew = Effect.gen(function* () {
        steps.push("renew")
        if (steps.length > 1) return []
        yield* SubscriptionRef.set(known, { newest: two, readable: [two, one] })
        yield* SubscriptionRef.set(known, { newest: one, readable: [one, two] })
        return []
      })
      const settled = () => Effect.sync(() => void steps.push("settled"))
      const offer = Effect.die("not asked")
      yield* keepCacheRenewed.pipe(
        Effect.andThen(settle),
        Effect.scoped,
        Effect.provide([
          Layer.succeed(ConfigCache, { source: "disk", offer, write: () => Effect.void, renew }),
          Layer.succeed(CacheKeys, { known, lookAgain: Effect.void, settled }),
          settingsLayer({ config_cache_encryption: "file", config_cache_key_file: "/keys" })
        ])
      )
      assert.deepStrictEqual(steps, ["renew", "renew", "settled"])
    })
)
