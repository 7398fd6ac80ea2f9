/**
 * A cache file under AES-256-GCM. It describes itself:
 *
 *     bytes   content
 *     0-7     "HOLDFAST"
 *     8       number of this format: 1
 *     9-16    id of the key
 *     17-44   nonce: 16 bytes that make a key for this file alone, then 12 bytes of GCM's own nonce
 *     45-48   length of the ciphertext, big-endian
 *     49-     ciphertext, then 16 bytes of GCM's tag
 *
 * Everything before the ciphertext is authenticated with it. The key of one file is derived from the key and the first
 * part of the nonce, so that chance never makes two files share key and nonce, however many nodes share the key.
 */
import { createCipheriv, createDecipheriv } from "node:crypto"
import { Redacted } from "effect"
import { type CacheKey, cacheKeyIdLength, cacheKeyLength, derive } from "./CacheKey.ts"

const magic = Buffer.from("HOLDFAST", "latin1")
const format = 1
const saltLength = 16
const ivLength = 12
const tagLength = 16
const idAt = magic.length + 1
const nonceAt = idAt + cacheKeyIdLength
export const cacheNonceLength = saltLength + ivLength
const lengthAt = nonceAt + cacheNonceLength
const headerLength = lengthAt + 4

/** Why a file can't be decrypted. */
export type CipherReason = "truncated" | "newerFormat" | "unknownKey" | "tampered"

export type Decrypted =
  | { readonly _tag: "Right"; readonly bytes: Uint8Array; readonly keyId: string }
  | {
      readonly _tag: "Wrong"
      readonly reason: CipherReason
      readonly message: string
      /** With which key it says that it was encrypted, where that much is left of it. */
      readonly keyId: string | undefined
    }

const fileKey = ({ secret }: CacheKey, nonce: Uint8Array): Uint8Array =>
  derive(Redacted.value(secret), "holdfast config cache: file, v1", cacheKeyLength, nonce.subarray(0, saltLength))

/** `nonce` has `cacheNonceLength` bytes that nobody used before: random ones. */
export const encryptCache = (plain: Uint8Array, key: CacheKey, nonce: Uint8Array): Uint8Array => {
  const header = Buffer.alloc(headerLength)
  header.set(magic)
  header[magic.length] = format
  header.write(key.id, idAt, "hex")
  header.set(nonce, nonceAt)
  header.writeUInt32BE(plain.length, lengthAt)
  const cipher = createCipheriv("aes-256-gcm", fileKey(key, nonce), nonce.subarray(saltLength), {
    authTagLength: tagLength
  })
  const text = cipher.setAAD(header).update(plain)
  cipher.final()
  return Buffer.concat([header, text, cipher.getAuthTag()])
}

const isBeginning = (bytes: Uint8Array): boolean =>
  magic.subarray(0, bytes.length).equals(bytes.subarray(0, magic.length))

/** True for whole files and for what is left of one; false for gzip, JSON, and a file of nothing. */
export const isEncrypted = (bytes: Uint8Array): boolean => bytes.length > 0 && isBeginning(bytes)

const keyIdOf = (bytes: Uint8Array): string | undefined =>
  bytes.length >= nonceAt && bytes[magic.length] === format
    ? Buffer.from(bytes.subarray(idAt, nonceAt)).toString("hex")
    : undefined

type Problem = readonly [reason: CipherReason, message: string]

/** What is wrong before any key is tried. */
const misshapen = (bytes: Uint8Array): Problem | undefined => {
  const number = bytes[magic.length] ?? format
  if (number > format) {
    return ["newerFormat", `expected encryption of format ${format}; a newer Holdfast wrote format ${number}`]
  }
  if (number < format) return ["tampered", `expected encryption of format ${format}, got ${number}`]
  if (bytes.length < headerLength) {
    return ["truncated", `expected at least ${headerLength + tagLength} bytes, got ${bytes.length}: the file is torn`]
  }
  const expected = headerLength + new DataView(bytes.buffer, bytes.byteOffset).getUint32(lengthAt) + tagLength
  if (bytes.length < expected) {
    return ["truncated", `expected ${expected} bytes, got ${bytes.length}: the file is torn`]
  }
  return bytes.length > expected ? ["tampered", `expected ${expected} bytes, got ${bytes.length}`] : undefined
}

const knownIds = (keys: ReadonlyArray<CacheKey>): string =>
  keys.length === 0 ? "there is none" : `there is ${keys.map(({ id }) => id).join(", ")}`

/** Of what `isEncrypted`. Tries the key that the file names, no other. */
export const decryptCache = (bytes: Uint8Array, keys: ReadonlyArray<CacheKey>): Decrypted => {
  const keyId = keyIdOf(bytes)
  const wrong = (...[reason, message]: Problem): Decrypted => ({ _tag: "Wrong", reason, message, keyId })
  const shape = misshapen(bytes)
  if (shape !== undefined) return wrong(...shape)
  const header = bytes.subarray(0, headerLength)
  const key = keys.find(({ id }) => id === keyId)
  if (key === undefined)
    return wrong("unknownKey", `expected the key ${keyId}, with which it was encrypted; ${knownIds(keys)}`)
  const nonce = header.subarray(nonceAt, lengthAt)
  const end = bytes.length - tagLength
  const decipher = createDecipheriv("aes-256-gcm", fileKey(key, nonce), nonce.subarray(saltLength), {
    authTagLength: tagLength
  })
  decipher.setAAD(header).setAuthTag(bytes.subarray(end))
  const plain = decipher.update(bytes.subarray(headerLength, end))
  try {
    decipher.final()
  } catch {
    return wrong(
      "tampered",
      `expected what was encrypted with the key ${keyId}: the file was changed, or its key was another one`
    )
  }
  return { _tag: "Right", bytes: plain, keyId: key.id }
}
