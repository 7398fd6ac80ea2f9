/**
 * Who signed a licence. Kong's algorithm and key are not public (reference `resilience.md` §6.1); ours are Ed25519 over
 * the payload's canonical JSON, in 128 hexadecimal digits, and the payload names the key: so a licence of ours that was
 * changed is told from one that somebody else has signed.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto"
import type { Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"
import { type License, licenseText, parseLicense } from "./License.ts"

/**
 * `verified` by one of the keys at hand; `invalid` when it names one of them that did not make it; `unverifiable` when
 * the key that would tell is not at hand.
 */
export type SignatureVerdict = "verified" | "invalid" | "unverifiable"

const keyField = "signing_key"

/** The same for both keys of a pair, and for no other: the start of the SHA-256 of the public one. */
const keyName = (key: KeyObject): string => {
  const publicKey = key.type === "private" ? createPublicKey(key) : key
  const der = publicKey.export({ type: "spki", format: "der" })
  return `ed25519:${createHash("sha256").update(der).digest("hex").slice(0, 16)}`
}

export const signatureVerdict = (license: License, publicKeys: ReadonlyArray<KeyObject>): SignatureVerdict => {
  const text = Buffer.from(license.signedText)
  const signature = Buffer.from(license.signature, "hex")
  if (publicKeys.some((key) => verify(null, text, key, signature))) return "verified"
  return publicKeys.some((key) => keyName(key) === license.payload[keyField]) ? "invalid" : "unverifiable"
}

export type IssuedLicense =
  | { readonly _tag: "Right"; readonly text: string }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

/** The text of a licence with this payload and its key's name, or why nobody could read it as one. */
export const issueLicense = (payload: Row, privateKey: KeyObject): IssuedLicense => {
  const named = { ...payload, [keyField]: keyName(privateKey) }
  const unsigned = parseLicense(licenseText(named, "00"))
  if (unsigned._tag === "Wrong") return unsigned
  const signature = sign(null, Buffer.from(unsigned.license.signedText), privateKey).toString("hex")
  return { _tag: "Right", text: licenseText(named, signature) }
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
 * else. A private key, which would do as well, doesn't belong where licences are only checked.
 */
export const readPublicKeys = (pem: string): ReadonlyArray<KeyObject> | undefined => {
  const blocks = pem.match(publicBlock) ?? []
  if (blocks.length === 0 || pem.split("-----BEGIN ").length - 1 !== blocks.length) return undefined
  const keys = blocks.map((block) => attempt(() => createPublicKey(block)))
  return keys.every((key) => key !== undefined) ? keys : undefined
}

export const readPrivateKey = (pem: string): KeyObject | undefined => attempt(() => createPrivateKey(pem))
