/**
 * Who signed a licence. Kong's algorithm and key are not public (reference `resilience.md` §6.1); ours are Ed25519 over
 * the payload's canonical JSON, in 128 hexadecimal digits, and the payload names the key: so a licence of ours that was
 * changed is told from one that somebody else has signed.
 */
import { type KeyObject, sign, verify } from "node:crypto"
import type { Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"
import { type License, licenseText, parseLicense } from "./License.ts"
import { keyName } from "./SigningKey.ts"

/**
 * `verified` by one of the keys at hand; `invalid` when it names one of them that did not make it; `unverifiable` when
 * the key that would tell is not at hand.
 */
export type SignatureVerdict = "verified" | "invalid" | "unverifiable"

const keyField = "signing_key"

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
