/**
 * What one source holds: the last licence that was right there. Something wrong is told once and changes nothing; what
 * is taken away is gone.
 */
import { createHash, type KeyObject } from "node:crypto"
import { Effect } from "effect"
import { type Fault, formatFault } from "../../model/Fault.ts"
import type { FoundLicense } from "../../model/FoundLicense.ts"
import { type License, parseLicense } from "../../model/License.ts"
import { type SignatureVerdict, signatureVerdict } from "../../model/LicenseSignature.ts"
import { isAcceptable, type LicensePolicy } from "../../model/LicenseStanding.ts"
import type { LicenseSource } from "../../services/LicenseGuard.ts"
import type { Place } from "./sources.ts"

export interface Held {
  readonly license: License
  readonly signature: SignatureVerdict
}

interface Refused {
  /** The same for the same content: what was told is not told again. */
  readonly key: string
  readonly reasons: ReadonlyArray<string>
  readonly isMissing: boolean
}

export interface Holder {
  readonly source: LicenseSource
  /** Where the source is a file. */
  readonly file: string | undefined
  readonly held: () => Held | undefined
  readonly refused: () => Refused | undefined
  /** Looks at the source as it is now. */
  readonly look: Effect.Effect<void>
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

type Read =
  | { readonly _tag: "Right"; readonly held: Held | undefined }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

const readText = (text: string, { policy, publicKeys }: Judgement): Read => {
  const parsed = parseLicense(text)
  if (parsed._tag === "Wrong") return parsed
  const signature = signatureVerdict(parsed.license, publicKeys)
  return isAcceptable(signature, policy)
    ? { _tag: "Right", held: { license: parsed.license, signature } }
    : { _tag: "Wrong", faults: [signatureFault(signature)] }
}

const read = (found: FoundLicense, judgement: Judgement): Read => {
  switch (found._tag) {
    case "Nothing":
      return { _tag: "Right", held: undefined }
    case "Text":
      return readText(found.text, judgement)
    case "Missing":
    case "Unreadable":
      return { _tag: "Wrong", faults: found.faults }
  }
}

const keyOf = (found: FoundLicense, reasons: ReadonlyArray<string>): string =>
  createHash("sha256")
    .update(found._tag === "Text" ? found.text : reasons.join())
    .digest("hex")

const tell = (source: LicenseSource, { isMissing, reasons }: Refused): Effect.Effect<void> =>
  isMissing
    ? Effect.logWarning("there is no licence where one was said to be").pipe(Effect.annotateLogs({ source, reasons }))
    : Effect.logError("licence refused; what stood before it stays").pipe(Effect.annotateLogs({ source, reasons }))

export const makeHolder = ({ source, file, look }: Place, judgement: Judgement): Holder => {
  let held: Held | undefined
  let refused: Refused | undefined

  const refuse = (found: FoundLicense, faults: ReadonlyArray<Fault>): Effect.Effect<void> => {
    const reasons = faults.map(formatFault)
    const next: Refused = { key: keyOf(found, reasons), reasons, isMissing: found._tag === "Missing" }
    const isTold = refused?.key === next.key
    refused = next
    if (next.isMissing) held = undefined
    return isTold ? Effect.void : tell(source, next)
  }

  const take = (found: FoundLicense): Effect.Effect<void> => {
    const result = read(found, judgement)
    if (result._tag === "Wrong") return refuse(found, result.faults)
    held = result.held
    refused = undefined
    return Effect.void
  }

  return { source, file, held: () => held, refused: () => refused, look: Effect.flatMap(look, take) }
}
