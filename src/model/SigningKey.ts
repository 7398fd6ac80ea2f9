/** Ed25519 keys by which licences and configurations are signed, and the name that tells them apart. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"

/** The same for both keys of a pair, and for no other: the start of the SHA-256 of the public one. */
export const keyName = (key: KeyObject): string => {
  const publicKey = key.type === "private" ? createPublicKey(key) : key
  const der = publicKey.export({ type: "spki", format: "der" })
  return `ed25519:${createHash("sha256").update(der).digest("hex").slice(0, 16)}`
}

const attempt = (read: () => KeyObject): KeyObject | undefined => {
  try {
    const key = read()
    return key.asymmetricKeyType === "ed25519" ? key : undefined
  } catch {
    return undefined
  }
}

const publicBlock = /-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g

/**
 * One key or several, so that a new one can be known before the old one goes; `undefined` when the text holds anything
 * else. A private key, which would do as well, doesn't belong where signatures are only checked.
 */
export const readPublicKeys = (pem: string): ReadonlyArray<KeyObject> | undefined => {
  const blocks = pem.match(publicBlock) ?? []
  if (blocks.length === 0 || pem.split("-----BEGIN ").length - 1 !== blocks.length) return undefined
  const keys = blocks.map((block) => attempt(() => createPublicKey(block)))
  return keys.every((key) => key !== undefined) ? keys : undefined
}

export const readPrivateKey = (pem: string): KeyObject | undefined => attempt(() => createPrivateKey(pem))
