/** Certificates that sign themselves. Node verifies certificates but makes none, so a library does; it is loaded on use. */
import type { CertificatePair } from "../../services/ServerCertificate.ts"

export interface SelfSignedOptions {
  readonly commonName: string
  readonly curve: "P-256" | "P-384"
  readonly hash: "SHA-256" | "SHA-384"
  readonly notBefore: Date
  readonly notAfter: Date
  /** Without any, the certificate has no extensions at all. */
  readonly dnsNames: ReadonlyArray<string>
}

const serialBytes = 16

const toPem = (label: string, der: ArrayBuffer): string => {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n")
}

export const makeSelfSigned = async (options: SelfSignedOptions): Promise<CertificatePair> => {
  // The library expects the reflection metadata to be there when it is loaded.
  await import("reflect-metadata")
  const x509 = await import("@peculiar/x509")
  const algorithm = { name: "ECDSA", namedCurve: options.curve, hash: options.hash }
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const names = options.dnsNames.map((value) => ({ type: "dns", value }) as const)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(serialBytes))).toString("hex"),
    name: `CN=${options.commonName}`,
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    signingAlgorithm: algorithm,
    keys,
    extensions:
      names.length === 0
        ? []
        : [new x509.BasicConstraintsExtension(false, undefined, true), new x509.SubjectAlternativeNameExtension(names)]
  })
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: toPem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", keys.privateKey))
  }
}
