/** A public-key infrastructure of a test's own: authorities, intermediate ones, and certificates of every kind of wrong. */
import "reflect-metadata"
import * as x509 from "@peculiar/x509"
import { Effect } from "effect"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
const dayMs = 86_400_000

export interface Authority extends CertificatePair {
  readonly certificate: x509.X509Certificate
  readonly keys: CryptoKeyPair
}

export interface LeafOptions {
  readonly commonName: string
  /** None: a certificate of a data plane. */
  readonly dnsNames?: ReadonlyArray<string>
  readonly addresses?: ReadonlyArray<string>
  readonly expiredDaysAgo?: number
  readonly ocspUrl?: string
  readonly isOcspSigner?: boolean
}

const privateKeyPem = async (keys: CryptoKeyPair): Promise<string> =>
  x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY")

const issue = async (
  commonName: string,
  issuer: Authority | undefined,
  endsInDays: number,
  extensions: ReadonlyArray<x509.Extension>
): Promise<Authority> => {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const nowMs = Date.now()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex"),
    subject: `CN=${commonName}`,
    issuer: issuer?.certificate.subject ?? `CN=${commonName}`,
    notBefore: new Date(nowMs - 30 * dayMs),
    notAfter: new Date(nowMs + endsInDays * dayMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [...extensions, await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)]
  })
  // What an intermediate authority issues is presented with the chain up to it, as servers and clients do.
  const isRoot = issuer === undefined || issuer.certificate.issuer === issuer.certificate.subject
  const cert = `${certificate.toString("pem")}\n${isRoot ? "" : issuer.cert}`
  return { cert, key: await privateKeyPem(keys), certificate, keys }
}

/** A root, or what another authority vouches for. */
export const authority = (commonName: string, issuer?: Authority): Effect.Effect<Authority> =>
  Effect.promise(() =>
    issue(commonName, issuer, 60, [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)
    ])
  )

export const leaf = (issuer: Authority, options: LeafOptions): Effect.Effect<Authority> => {
  const { commonName, dnsNames = [], addresses = [], expiredDaysAgo, ocspUrl, isOcspSigner } = options
  const names = [
    ...dnsNames.map((value) => ({ type: "dns", value }) as const),
    ...addresses.map((value) => ({ type: "ip", value }) as const)
  ]
  return Effect.promise(() =>
    issue(commonName, issuer, expiredDaysAgo === undefined ? 60 : -expiredDaysAgo, [
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      ...(ocspUrl === undefined ? [] : [new x509.AuthorityInfoAccessExtension({ ocsp: ocspUrl })]),
      ...(isOcspSigner === true ? [new x509.ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.9"])] : [])
    ])
  )
}
