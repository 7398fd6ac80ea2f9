/** `holdfast license issue`: a licence of one's own, signed. Nothing is ever overwritten. */
import { randomUUID } from "node:crypto"
import { dirname } from "node:path"
import { Clock, Effect } from "effect"
import type { Row } from "../../model/Entity.ts"
import { dateMs } from "../../model/License.ts"
import { issueLicense } from "../../model/LicenseSignature.ts"
import { readPrivateKey } from "../../model/SigningKey.ts"
import { StartError } from "../../services/StartError.ts"
import type { CommandInput, RunCommand } from "../Command.ts"
import { makeDirectory, refuse, refuseTaken, writeNew } from "../newFile.ts"
import { readNamed } from "./readFile.ts"

const dayMs = 86_400_000
const validDays = 365

/** The fields of Kong's licences by their flags (reference `resilience.md` §6.1). */
const fields = {
  customer: "customer",
  subscription: "product_subscription",
  support: "support_plan",
  seats: "admin_seats",
  dataplanes: "dataplanes"
} as const

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

const textOf = (flags: CommandInput["flags"], name: string): string | undefined => {
  const value = flags[name]
  return typeof value === "string" ? value : undefined
}

const expiryOf = Effect.fnUntraced(function* (flags: CommandInput["flags"], nowMs: number) {
  const asked = textOf(flags, "expires")
  if (asked === undefined) return dayOf(nowMs + validDays * dayMs)
  return dateMs(asked) === undefined ? yield* refuse(2, "--expires: expected a date, written YYYY-MM-DD", asked) : asked
})

const payloadOf = (flags: CommandInput["flags"], nowMs: number, expires: string): Row => {
  const today = dayOf(nowMs)
  return {
    ...Object.fromEntries(Object.entries(fields).map(([flag, field]) => [field, textOf(flags, flag) ?? ""])),
    // A licence for days that are over was made on the last of them, at the latest.
    license_creation_date: today < expires ? today : expires,
    license_expiration_date: expires,
    license_key: randomUUID()
  }
}

export const runIssue: RunCommand = ({ flags }) =>
  Effect.gen(function* () {
    const out = String(flags.out)
    const nowMs = yield* Clock.currentTimeMillis
    const expires = yield* expiryOf(flags, nowMs)
    yield* refuseTaken([out])
    const keyFile = String(flags.key)
    const key = readPrivateKey(yield* readNamed(keyFile, "a private key"))
    if (key === undefined) return yield* refuse(1, `${keyFile}: expected an unencrypted Ed25519 private key in PEM`)
    const issued = issueLicense(payloadOf(flags, nowMs, expires), key)
    if (issued._tag === "Wrong") {
      const faults = issued.faults.map((fault) => ({ ...fault, place: out }))
      return yield* new StartError({ faults, exitCode: 2 })
    }
    yield* makeDirectory(dirname(out))
    yield* writeNew(out, issued.text, 0o600)
    process.stdout.write(`${out}\n`)
    return 0
  })
