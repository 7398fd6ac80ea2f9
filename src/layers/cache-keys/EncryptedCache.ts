/**
 * CacheProtection by AES-256-GCM under the newest of CacheKeys. What is in plain is read all the same: it stood there
 * before encryption was switched on, or a person put it there, and is written anew like a file under a former key.
 */
import { Effect, Layer, SubscriptionRef } from "effect"
import { cacheNonceLength, decryptCache, encryptCache, isEncrypted } from "../../model/CacheCipher.ts"
import { CacheKeys } from "../../services/CacheKeys.ts"
import { CacheProtection, CacheProtectionError } from "../../services/CacheProtection.ts"
import { SecureRandom } from "../../services/SecureRandom.ts"

const remedy = "name it in config_cache_key_file, config_cache_key or cluster_cert_key_previous"

const make = Effect.gen(function* () {
  const { known } = yield* CacheKeys
  const random = yield* SecureRandom

  const protect = Effect.fnUntraced(function* (bytes: Uint8Array) {
    const { newest } = yield* SubscriptionRef.get(known)
    if (newest === undefined) return bytes
    return encryptCache(bytes, newest, yield* random.bytes(cacheNonceLength))
  })

  const unprotect = Effect.fnUntraced(function* (bytes: Uint8Array) {
    const { newest, readable } = yield* SubscriptionRef.get(known)
    if (!isEncrypted(bytes)) return { bytes, isStale: newest !== undefined }
    const decrypted = decryptCache(bytes, readable)
    if (decrypted._tag === "Right") return { bytes: decrypted.bytes, isStale: decrypted.keyId !== newest?.id }
    const { reason, message, keyId } = decrypted
    return yield* new CacheProtectionError({
      message: reason === "unknownKey" ? `${message}; ${remedy}` : message,
      isPassing: reason === "unknownKey" || reason === "newerFormat",
      ...(keyId === undefined ? {} : { keyId })
    })
  })

  return { protect, unprotect }
})

export const layer: Layer.Layer<never, never, CacheKeys | SecureRandom> = Layer.effect(CacheProtection, make)
