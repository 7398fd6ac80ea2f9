/** Licences of every kind, signed by a key pair that is the same in every run. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"
import type { Row } from "../../src/model/Entity.ts"
import { formatFault } from "../../src/model/Fault.ts"
import { type License, parseLicense } from "../../src/model/License.ts"
import { issueLicense } from "../../src/model/LicenseSignature.ts"

/** An Ed25519 key in PKCS #8 is this and 32 bytes of one's own (RFC 8410 §7). */
const ed25519Prefix = Buffer.from("302e020100300506032b657004220420", "hex")

export const licenseKey = (seed: number): KeyObject =>
  createPrivateKey({ key: Buffer.concat([ed25519Prefix, Buffer.alloc(32, seed)]), format: "der", type: "pkcs8" })

export const pemOf = (key: KeyObject): string =>
  key.export({ type: key.type === "private" ? "pkcs8" : "spki", format: "pem" }).toString()

export const publicPem = (seed: number): string => pemOf(createPublicKey(licenseKey(seed)))

/** As in the reference, `resilience.md` §6.1. */
export const payloadUntil = (expires: string, more: Row = {}): Row => ({
  admin_seats: "5",
  customer: "Example Ltd",
  dataplanes: "100",
  license_creation_date: "2001-01-01",
  license_expiration_date: expires,
  license_key: "not-for-anybodys-eyes",
  product_subscription: "gateway",
  support_plan: "none",
  ...more
})

export const licenseUntil = (expires: string, more: Row = {}, seed = 1): string => {
  const issued = issueLicense(payloadUntil(expires, more), licenseKey(seed))
  if (issued._tag === "Wrong") throw new Error(issued.faults.map(formatFault).join("; "))
  return issued.text
}

export const parsed = (text: string): License => {
  const result = parseLicense(text)
  if (result._tag === "Wrong") throw new Error(result.faults.map(formatFault).join("; "))
  return result.license
}
