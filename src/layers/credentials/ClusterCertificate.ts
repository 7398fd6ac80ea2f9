/**
 * Makes the certificate that both planes of a cluster share: reference `hybrid-protocol-v1.md` §1.2. Self-signed on
 * secp384r1, CN=kong_clustering, without SAN and CA constraints, as `kong hybrid gen_cert` makes it.
 */
import { Effect } from "effect"
import { sharedServerName } from "../../model/Wire.ts"
import type { CertificatePair } from "../../services/ServerCertificate.ts"
import { makeSelfSigned } from "./selfSigned.ts"

export const clusterCertificateDays = 1095

const dayMs = 86_400_000
/** Clocks of a fleet differ; a certificate made a moment ago must hold on a node whose clock is behind. */
const backdateMs = 60_000

/** A fresh pair in PEM (the key as PKCS#8), valid for `days` from `now`. */
export const makeClusterCertificate = (options: {
  readonly now: Date
  readonly days?: number
}): Effect.Effect<CertificatePair> => {
  const nowMs = options.now.getTime()
  const days = options.days ?? clusterCertificateDays
  return Effect.promise(() =>
    makeSelfSigned({
      commonName: sharedServerName,
      curve: "P-384",
      hash: "SHA-384",
      notBefore: new Date(nowMs - backdateMs),
      notAfter: new Date(nowMs + days * dayMs),
      dnsNames: []
    })
  )
}
