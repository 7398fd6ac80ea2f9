/** Keys out of settings: what each setting names, or the fault that it is. No key is ever shown, not even a wrong one. */
import { Effect } from "effect"
import { type CacheKey, cacheKeyFromCluster, cacheKeyShape, readCacheKeys } from "../../model/CacheKey.ts"
import type { Fault } from "../../model/Fault.ts"
import type { SettingName } from "../../model/SettingTable.ts"
import type { Disk } from "../../services/Disk.ts"
import { readKeyFile } from "../../services/keyText.ts"

export const keysOfFile = Effect.fnUntraced(function* (disk: Disk["Service"], path: string) {
  const refuse = (message: string): Fault => ({ path: ["config_cache_key_file"], message, value: path })
  const text = yield* readKeyFile(disk, path).pipe(
    Effect.mapError(({ code }) => refuse(`expected the path of a readable file of keys (${code})`))
  )
  const keys = readCacheKeys(text)
  return keys ?? (yield* Effect.fail(refuse(`expected a file of keys, one a line: ${cacheKeyShape}`)))
})

export const keyOfPem = (name: SettingName, pem: string): Effect.Effect<CacheKey, Fault> =>
  Effect.try({
    try: () => cacheKeyFromCluster(pem),
    catch: () => ({ path: [name], message: "expected an unencrypted private key as PEM" })
  })
