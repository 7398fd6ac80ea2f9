/**
 * Whom the cluster listener lets in, by the certificate that was presented: reference `hybrid-protocol-v1.md` §1.2.
 *
 * TLS itself refuses nobody, so that every refusal can be told with its reason; the verdict on the chain is read from
 * the socket.
 */
import type { TLSSocket } from "node:tls"
import {
  commonNameOf,
  commonNameProblem,
  controlPlaneVerifyDepth,
  depthProblem,
  parentDomain
} from "../../model/ClusterTls.ts"
import type { Fault } from "../../model/Fault.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import { verificationFailure } from "../../model/TlsFailure.ts"
import type { ClusterCredentials } from "../../services/ClusterIdentity.ts"

/** Why the peer of this socket is refused; `undefined` when it is let in. */
export type CertificateCheck = (socket: TLSSocket) => string | undefined

/** One certificate, the same on both sides: compared digest for digest, no chain involved. */
const sharedCheck =
  (own: ClusterCredentials): CertificateCheck =>
  (socket) => {
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return "no client certificate"
    return certificate.fingerprint256 === own.fingerprint256 ? undefined : "the client certificate is not the cluster's"
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

/** A rule that would let nobody in, ever. */
export const ruleFaults = (
  { cluster_mtls, cluster_allowed_common_names }: SettingValues,
  own: ClusterCredentials
): ReadonlyArray<Fault> =>
  cluster_mtls === "pki_check_cn" &&
  cluster_allowed_common_names.length === 0 &&
  parentDomain(own.commonName ?? "") === undefined
    ? [
        {
          path: ["cluster_allowed_common_names"],
          message: "expected the names of data planes, for the common name of cluster_cert has no domain to share"
        }
      ]
    : []

export const certificateCheck = (
  { cluster_mtls, cluster_allowed_common_names }: SettingValues,
  own: ClusterCredentials
): CertificateCheck => {
  if (cluster_mtls === "shared") return sharedCheck(own)
  return cluster_mtls === "pki" ? chainCheck : namedCheck(own, cluster_allowed_common_names)
}
