/**
 * What a control plane does to a row before it stores it. Its configurations say `_transform: false`: data planes take
 * rows as they come, and one bad certificate would make each of them refuse the whole (`config-model.md` §1, §3).
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import type { Entity, Row } from "../../model/Entity.ts"
import { type Fault, within } from "../../model/Fault.ts"
import { parseLicense } from "../../model/License.ts"

export interface Prepared {
  readonly row: Row
  readonly faults: ReadonlyArray<Fault>
}

type Rule = (row: Row, nowMs: number) => Prepared

const attempt = <A>(make: () => A): A | undefined => {
  try {
    return make()
  } catch {
    return undefined
  }
}

/** Resolved on the data plane, never here (`config-model.md` §3, vaults). */
const isVaultReference = (value: string): boolean => value.startsWith("{vault://")

const pairFaults = (row: Row, certField: string, keyField: string): ReadonlyArray<Fault> => {
  const cert = row[certField]
  const key = row[keyField]
  if (typeof cert !== "string" || typeof key !== "string") return []
  if (isVaultReference(cert) || isVaultReference(key)) return []
  const certificate = attempt(() => new X509Certificate(cert))
  const privateKey = attempt(() => createPrivateKey(key))
  const faults: Array<Fault> = []
  if (certificate === undefined) faults.push({ path: [certField], message: "expected a certificate that can be read" })
  if (privateKey === undefined) faults.push({ path: [keyField], message: "expected a private key that can be read" })
  return certificate === undefined || privateKey === undefined || certificate.checkPrivateKey(privateKey)
    ? faults
    : [{ path: [keyField], message: `expected the key of ${certField}` }]
}

const keyTypeOf = (pem: unknown): string | undefined =>
  typeof pem === "string" ? attempt(() => new X509Certificate(pem).publicKey.asymmetricKeyType) : undefined

/** The alternative is for clients that can't read the first one: of the same kind, a data plane refuses it. */
const alternativeFaults = ({ cert, cert_alt }: Row): ReadonlyArray<Fault> => {
  const type = keyTypeOf(cert)
  return type === undefined || type !== keyTypeOf(cert_alt)
    ? []
    : [{ path: ["cert_alt"], message: `expected a key of another type than cert's, which is ${type}` }]
}

const certificates: Rule = (row) => ({
  row,
  faults: [...pairFaults(row, "cert", "key"), ...pairFaults(row, "cert_alt", "key_alt"), ...alternativeFaults(row)]
})

const caCertificates: Rule = (row, nowMs) => {
  const cert = String(row.cert)
  if (isVaultReference(cert)) return { row, faults: [] }
  const wrong = (message: string): Prepared => ({ row, faults: [{ path: ["cert"], message }] })
  if (cert.split("-----BEGIN ").length !== 2) return wrong("expected exactly one certificate")
  const certificate = attempt(() => new X509Certificate(cert))
  if (certificate === undefined) return wrong("expected a certificate that can be read")
  if (!certificate.ca) return wrong('expected the certificate of an authority ("CA" in its basic constraints)')
  if (certificate.validToDate.getTime() <= nowMs) {
    return wrong(
      `expected a certificate that has not expired; this one did on ${certificate.validToDate.toISOString()}`
    )
  }
  return { row: { ...row, cert_digest: certificate.fingerprint256.replaceAll(":", "").toLowerCase() }, faults: [] }
}

/** A data plane would go by the licence before it. */
const licenses: Rule = (row) => {
  const parsed = parseLicense(String(row.payload))
  return { row, faults: parsed._tag === "Right" ? [] : parsed.faults.map(within("payload")) }
}

const rules: Readonly<Record<string, Rule>> = { certificates, ca_certificates: caCertificates, licenses }

/** The row as it is stored, with values derived from others; or what is wrong with them. */
export const onWrite = (entity: Entity, row: Row, nowMs: number): Prepared =>
  Object.hasOwn(rules, entity.name) ? (rules[entity.name]?.(row, nowMs) ?? { row, faults: [] }) : { row, faults: [] }
