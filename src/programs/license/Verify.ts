/** `holdfast license verify`: what a node would make of a licence. Its key is not shown. */
import { Clock, Effect } from "effect"
import type { Fault } from "../../model/Fault.ts"
import { type License, parseLicense } from "../../model/License.ts"
import { type SignatureVerdict, signatureVerdict } from "../../model/LicenseSignature.ts"
import { type LicenseStanding, standingOf } from "../../model/LicenseStanding.ts"
import { readPublicKeys } from "../../model/SigningKey.ts"
import { StartError } from "../../services/StartError.ts"
import type { RunCommand } from "../Command.ts"
import { refuse } from "../newFile.ts"
import { readNamed } from "./readFile.ts"

const inFile = (file: string, faults: ReadonlyArray<Fault>): StartError =>
  new StartError({ faults: faults.map((fault) => ({ ...fault, place: file })), exitCode: 1 })

const readKeys = Effect.fnUntraced(function* (file: string | boolean | undefined) {
  if (typeof file !== "string") return []
  const keys = readPublicKeys(yield* readNamed(file, "a public key"))
  return keys ?? (yield* refuse(1, `${file}: expected Ed25519 public keys in PEM`))
})

const verdicts: Readonly<Record<SignatureVerdict, string>> = {
  verified: "verified",
  invalid: "invalid: the licence was changed since, or was not signed by the key that it names",
  unverifiable: "unverifiable: signed by nobody whose key this is"
}

const notChecked = "not checked: no --public-key was given"

const daysOf = ({ state, daysLeft }: LicenseStanding): string => {
  if (state === "expired") return "expired"
  return daysLeft === 1 ? "1 day left" : `${daysLeft} days left`
}

const linesOf = ({ payload }: License, signature: string, standing: LicenseStanding) => [
  ["customer", String(payload.customer ?? "")],
  ["created", String(payload.license_creation_date ?? "")],
  ["expires", `${payload.license_expiration_date}, 00:00 UTC (${daysOf(standing)})`],
  ["signature", signature]
]

/** Control characters of a licence stay out of whoever's terminal this is. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, "?")

export const runVerify: RunCommand = ({ flags, operands }) =>
  Effect.gen(function* () {
    const file = String(operands[0])
    const publicKeys = yield* readKeys(flags["public-key"])
    const parsed = parseLicense(yield* readNamed(file, "a licence"))
    if (parsed._tag === "Wrong") return yield* inFile(file, parsed.faults)
    const signature = signatureVerdict(parsed.license, publicKeys)
    // How it stands by its dates; what is wrong with its signature is another line.
    const standing = standingOf(
      { _tag: "License", license: parsed.license, signature },
      yield* Clock.currentTimeMillis,
      { onExpiry: "stop", graceDays: 0 }
    )
    const isChecked = publicKeys.length > 0
    const verdict = isChecked ? verdicts[signature] : notChecked
    for (const [name = "", value = ""] of linesOf(parsed.license, verdict, standing)) {
      process.stdout.write(`${name.padEnd(10)} ${printable(value)}\n`)
    }
    return (isChecked && signature !== "verified") || standing.state === "expired" ? 1 : 0
  })
