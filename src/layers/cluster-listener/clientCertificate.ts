/**
 * Whom the cluster listener lets in, by the certificate that was presented: reference `hybrid-protocol-v1.md` §1.2.
 *
 * TLS itself refuses nobody, so that every refusal can be told with its reason; the verdict on the chain is read from
 * the socket.
 */
import type { TLSSocket } from "node:tls"
import { commonNameOf, commonNameProblem, controlPlaneVerifyDepth, depthProblem } from "../../model/ClusterTls.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import { verificationFailure } from "../../model/TlsFailure.ts"
import type { ClusterCredentials } from "../../services/ClusterIdentity.ts"

/** Why the peer of this socket is refused; `undefined` when it is let in. */
export type CertificateCheck = (socket: TLSSocket) => string | undefined

/**
 * One certificate, the same on both sides: compared digest for digest, no chain involved. While a rotation lasts, the
 * former one is the cluster's as well.
 */
const sharedCheck = (own: ClusterCredentials): CertificateCheck => {
  const known = [own.fingerprint256, own.former?.fingerprint256]
  return (socket) => {
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return "no client certificate"
    return known.includes(certificate.fingerprint256) ? undefined : "the client certificate is not the cluster's"
  }
}

const chainCheck: CertificateCheck = (socket) => {
  if (socket.getPeerX509Certificate() === undefined) return "no client certificate"
  // A code such as CERT_HAS_EXPIRED, whatever its type says.
  if (!socket.authorized) return `the client certificate ${verificationFailure(String(socket.authorizationError))}`
  const tooDeep = depthProblem(socket.getPeerCertificate(true), controlPlaneVerifyDepth, "the protocol")
  return tooDeep === undefined ? undefined : `the client certificate is refused: ${tooDeep}`
}

const namedCheck =
  (own: ClusterCredentials, allowed: ReadonlyArray<string>): CertificateCheck =>
  (socket) =>
    chainCheck(socket) ??
    commonNameProblem(commonNameOf(socket.getPeerCertificate().subject), { allowed, own: own.commonName })

export const certificateCheck = (
  { cluster_mtls, cluster_allowed_common_names }: SettingValues,
  own: ClusterCredentials
): CertificateCheck => {
  if (cluster_mtls === "shared") return sharedCheck(own)
  return cluster_mtls === "pki" ? chainCheck : namedCheck(own, cluster_allowed_common_names)
}
