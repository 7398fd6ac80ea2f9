/** Certificates of the configuration as TLS contexts, each made once (`config-model.md` §3, SNI lookup order). */
import { createSecureContext, type SecureContext } from "node:tls"
import type { MutableRef } from "effect"
import type { CompiledConfig } from "../../model/CompiledConfig.ts"
import type { Certificate } from "../../model/Entities.ts"

export type SniCallback = (serverName: string, done: (error: Error | null, context?: SecureContext) => void) => void

const contextOf = ({ cert, cert_alt, key, key_alt }: Certificate): SecureContext =>
  createSecureContext({
    cert: cert_alt === null ? cert : [cert, cert_alt],
    key: key_alt === null ? key : [key, key_alt]
  })

/** `report` hears of certificates that can't be used, once each; their names then get the default certificate. */
export const makeSniCallback = (
  current: MutableRef.MutableRef<CompiledConfig>,
  report: (certificateId: string, cause: unknown) => void
): SniCallback => {
  const contexts = new WeakMap<Certificate, SecureContext | "unusable">()
  const contextFor = (certificate: Certificate): SecureContext | undefined => {
    let context = contexts.get(certificate)
    if (context === undefined) {
      try {
        context = contextOf(certificate)
      } catch (cause) {
        report(certificate.id, cause)
        context = "unusable"
      }
      contexts.set(certificate, context)
    }
    return context === "unusable" ? undefined : context
  }
  return (serverName, done) => {
    const certificate = current.current.certificateFor(serverName)
    done(null, certificate === undefined ? undefined : contextFor(certificate))
  }
}
