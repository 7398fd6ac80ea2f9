/** The keys of `license_public_key`, read once: a path, PEM text or base64 of PEM (`hybrid-protocol-v1.md` §13). */
import type { KeyObject } from "node:crypto"
import { Effect } from "effect"
import { licenseMaxBytes } from "../../model/License.ts"
import { readPublicKeys } from "../../model/LicenseSignature.ts"
import { inlinePem } from "../../model/Pem.ts"
import { Disk } from "../../services/Disk.ts"
import { StartError } from "../../services/StartError.ts"

/** The value is never shown: it may be a private key, put there by mistake. */
const refuse = (why: string) => {
  const message = `expected Ed25519 public keys: a path, PEM text or base64 of PEM (${why})`
  return new StartError({ faults: [{ path: ["license_public_key"], message }], exitCode: 2 })
}

const readPem = Effect.fnUntraced(function* (setting: string) {
  const inline = inlinePem(setting)
  if (inline !== undefined) return inline
  const disk = yield* Disk
  const { bytes } = yield* Effect.mapError(disk.read(setting, licenseMaxBytes), ({ code }) => refuse(code))
  return Buffer.from(bytes).toString("utf8")
})

export const loadPublicKeys = Effect.fnUntraced(function* (setting: string | undefined) {
  if (setting === undefined) return [] as ReadonlyArray<KeyObject>
  const pem = yield* readPem(setting)
  return readPublicKeys(pem) ?? (yield* refuse("its PEM holds something else, or nothing"))
})
