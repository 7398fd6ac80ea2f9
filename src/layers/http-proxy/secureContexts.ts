/** Certificates of the configuration as TLS contexts, each made once (`config-model.md` §3, SNI lookup order). */
import { createSecureContext, type SecureContext } from "node:tls"
import type { MutableRef } from "effect"
import type { CompiledConfig } from "../../model/CompiledConfig.ts"
import type { Certificate } from "../../model/Entities.ts"

export type SniCallback = (serverName: string, done: (error: Error | null, context?: SecureContext) => void) => void

/** What Node makes a context of. */
export interface CertificateOptions {
  readonly cert: string | Array<string>
  readonly key: string | Array<string>
}

const optionsOf = ({ cert, cert_alt, key, key_alt }: Certificate): CertificateOptions => ({
  cert: cert_alt === null ? cert : [cert, cert_alt],
  key: key_alt === null ? key : [key, key_alt]
})

interface Usable {
  readonly options: CertificateOptions
  readonly context: SecureContext
}

export interface Certificates {
  readonly sniCallback: SniCallback
  /** For a client that names no server: the certificate of the SNI `*`. */
  readonly nameless: () => CertificateOptions | undefined
}

/** `report` hears of certificates that can't be used, once each; their names then get the default certificate. */
export const makeCertificates = (
  current: MutableRef.MutableRef<CompiledConfig>,
  report: (certificateId: string, cause: unknown) => void
): Certificates => {
  const known = new WeakMap<Certificate, Usable | "unusable">()
  const make = (certificate: Certificate): Usable | "unusable" => {
    try {
      const options = optionsOf(certificate)
      return { options, context: createSecureContext({ ...options }) }
    } catch (cause) {
      report(certificate.id, cause)
      return "unusable"
    }
  }
  const find = (serverName: string): Usable | undefined => {
    const certificate = current.current.certificateFor(serverName)
    if (certificate === undefined) return undefined
    const found = known.get(certificate) ?? make(certificate)
    known.set(certificate, found)
    return found === "unusable" ? undefined : found
  }
  return {
    sniCallback: (serverName, done) => done(null, find(serverName)?.context),
    nameless: () => find("")?.options
  }
}
