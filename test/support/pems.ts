/** Certificates for tests of what the store accepts, made anew for each run: no key stands in the repository. */
import "reflect-metadata"
import * as x509 from "@peculiar/x509"
import { makeSelfSigned } from "../../src/layers/credentials/selfSigned.ts"

const dayMs = 86_400_000
const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) }

const leaf = await makeSelfSigned({
  commonName: "example.com",
  curve: "P-256",
  hash: "SHA-256",
  dnsNames: ["example.com"],
  ...validity
})

/** Belongs to {@link leafKey}; no authority. */
export const leafCert = leaf.cert
export const leafKey = leaf.key

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }

const makeAuthority = async (notAfter: Date): Promise<string> => {
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Test CA",
    notBefore: new Date(notAfter.getTime() - 2 * dayMs),
    notAfter,
    signingAlgorithm: algorithm,
    keys: await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)]
  })
  return `${certificate.toString("pem")}\n`
}

export const caCert = await makeAuthority(validity.notAfter)
export const expiredCaCert = await makeAuthority(validity.notBefore)

/** What a key looks like to whoever only looks. */
export const keyLike = `-----BEGIN ${"PRIVATE KEY"}-----`
