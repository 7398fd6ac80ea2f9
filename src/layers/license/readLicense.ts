/** From a licence's text to what may count: shape, dates and signature, by the policy of this node. */
import type { KeyObject } from "node:crypto"
import type { Fault } from "../../model/Fault.ts"
import { type License, parseLicense } from "../../model/License.ts"
import { type SignatureVerdict, signatureVerdict } from "../../model/LicenseSignature.ts"
import { isAcceptable, type LicensePolicy } from "../../model/LicenseStanding.ts"

export interface Held {
  readonly license: License
  readonly signature: SignatureVerdict
}

export interface Judgement {
  readonly policy: LicensePolicy
  readonly publicKeys: ReadonlyArray<KeyObject>
}

const signatureFault = (signature: SignatureVerdict): Fault => ({
  path: ["license", "signature"],
  message:
    signature === "invalid"
      ? "expected the signature of the key that the licence names: it was changed since, or not signed by that key"
      : "expected a signature by one of the keys of license_public_key, for license_require_signature is on"
})

export type Read =
  | { readonly _tag: "Right"; readonly held: Held | undefined }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

export const readLicense = (text: string, { policy, publicKeys }: Judgement): Read => {
  const parsed = parseLicense(text)
  if (parsed._tag === "Wrong") return parsed
  const signature = signatureVerdict(parsed.license, publicKeys)
  return isAcceptable(signature, policy)
    ? { _tag: "Right", held: { license: parsed.license, signature } }
    : { _tag: "Wrong", faults: [signatureFault(signature)] }
}
