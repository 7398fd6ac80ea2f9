/**
 * Who signed a licence. Kong's algorithm and key are not public (reference `resilience.md` §6.1); ours are Ed25519 over
 * the payload's canonical JSON, in 128 hexadecimal digits.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto"
import type { Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"
import { type License, licenseText, parseLicense } from "./License.ts"

/**
 * `verified` by one of the keys at hand; `invalid` when there are keys and none of them made it; `unverifiable` when
 * there is no key to ask.
 */
export type SignatureVerdict = "verified" | "invalid" | "unverifiable"

export const signatureVerdict = (license: License, publicKeys: ReadonlyArray<KeyObject>): SignatureVerdict => {
  if (publicKeys.length === 0) return "unverifiable"
  const text = Buffer.from(license.signedText)
  const signature = Buffer.from(license.signature, "hex")
  return publicKeys.some((key) => verify(null, text, key, signature)) ? "verified" : "invalid"
}

export type IssuedLicense =
  | { readonly _tag: "Right"; readonly text: string }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

/** The text of a licence with this payload, or why nobody could read it as one. */
export const issueLicense = (payload: Row, privateKey: KeyObject): IssuedLicense => {
  const unsigned = parseLicense(licenseText(payload, "00"))
  if (unsigned._tag === "Wrong") return unsigned
  const signature = sign(null, Buffer.from(unsigned.license.signedText), privateKey).toString("hex")
  return { _tag: "Right", text: licenseText(payload, signature) }
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
