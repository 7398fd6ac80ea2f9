/**
 * Keys of the encrypted configuration cache: 32 bytes each, told apart by an id that gives nothing away. Written by a
 * person, or derived from the cluster's private key. Each purpose derives by HKDF-SHA256 under an info text of its own,
 * which names purpose and version. See `docs/cache-encryption.md`.
 */
import { createPrivateKey, hkdfSync } from "node:crypto"
import { Redacted } from "effect"

export interface CacheKey {
  /** 16 hex digits; the same for the same key on every node. May be shown. */
  readonly id: string
  readonly secret: Redacted.Redacted<Uint8Array>
}

export const cacheKeyLength = 32
export const cacheKeyIdLength = 8

/** One-way and even: from one secret, another one that belongs to one purpose. */
export const derive = (
  secret: Uint8Array,
  info: string,
  length: number,
  salt: Uint8Array = new Uint8Array(0)
): Uint8Array => new Uint8Array(hkdfSync("sha256", secret, salt, info, length))

/** `bytes` must be as hard to guess as they are long. */
export const makeCacheKey = (bytes: Uint8Array): CacheKey => ({
  id: Buffer.from(derive(bytes, "holdfast config cache: key id, v1", cacheKeyIdLength)).toString("hex"),
  secret: Redacted.make(bytes, { label: "cache key" })
})

const bytesOf = (text: string): Uint8Array | undefined => {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.from(Buffer.from(text, "hex"))
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined
  const bytes = Uint8Array.from(Buffer.from(text, "base64"))
  return bytes.length === cacheKeyLength ? bytes : undefined
}

/** What `readCacheKeys` expects of each key. */
export const cacheKeyShape = "32 bytes as 64 hex digits or as base64 (`openssl rand -base64 32` makes one)"

/**
 * Keys apart by commas or on lines of their own, `#` starts a comment. `undefined` when one of them is none or when
 * there is none: a key is never shown, not even a wrong one.
 */
export const readCacheKeys = (text: string): ReadonlyArray<CacheKey> | undefined => {
  const entries = text
    .split("\n")
    .flatMap((line) => line.replace(/#.*/, "").split(","))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
  const keys = entries.map(bytesOf)
  return keys.length > 0 && keys.every((bytes) => bytes !== undefined) ? keys.map(makeCacheKey) : undefined
}

/** The same for every way to write the same private key as PEM. Throws at what is no unencrypted private key. */
export const cacheKeyFromCluster = (pem: string): CacheKey => {
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" })
  return makeCacheKey(derive(der, "holdfast config cache: key from cluster key, v1", cacheKeyLength))
}
