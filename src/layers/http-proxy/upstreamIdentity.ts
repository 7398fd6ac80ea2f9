/**
 * What a connection to an upstream over TLS is made of: whom it trusts, how far, and as whom it comes. Connections are
 * shared only where all of it is equal (`proxy-behaviour.md` §5).
 */
import { createHash } from "node:crypto"
import {
  createSecureContext,
  checkServerIdentity as namesFit,
  type PeerCertificate,
  type SecureContext
} from "node:tls"
import type { CompiledRoute } from "../../model/CompiledConfig.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import type { CertificatePair } from "../../services/ServerCertificate.ts"
import type { UpstreamDefaults } from "../../services/UpstreamCredentials.ts"

export interface UpstreamIdentity {
  readonly key: string
  readonly isVerified: boolean
  /** Most intermediate authorities. */
  readonly depth: number
  readonly secureContext: SecureContext
}

type Issued = PeerCertificate & { readonly issuerCertificate?: Issued }

/** Authorities between a certificate and the one at the end of its chain. */
const intermediatesOf = (leaf: Issued): number => {
  let count = -1
  let certificate = leaf
  while (certificate.issuerCertificate !== undefined && certificate.issuerCertificate !== certificate) {
    certificate = certificate.issuerCertificate
    count++
  }
  return Math.max(0, count)
}

/** Asked about a certificate that the authorities have signed. */
export const makeChecker =
  (depth: number) =>
  (host: string, certificate: PeerCertificate): Error | undefined => {
    const misfit = namesFit(host, certificate)
    if (misfit !== undefined) return misfit
    const found = intermediatesOf(certificate)
    return found > depth
      ? new Error(`certificate chain too long: ${found} intermediate(s), ${depth} allowed`)
      : undefined
  }

interface Parts {
  readonly isVerified: boolean
  readonly depth: number
  readonly authorities: ReadonlyArray<string>
  readonly client: CertificatePair | undefined
}

/** Contents and not ids: a certificate that was renewed under its id is another one. */
const keyOf = ({ isVerified, depth, authorities, client }: Parts): string => {
  const hash = createHash("sha256")
  hash.update(JSON.stringify([isVerified, depth, authorities, client?.cert, client?.key]))
  return hash.digest("base64url")
}

const make = (parts: Parts, key: string): UpstreamIdentity => {
  const { client, authorities, isVerified, depth } = parts
  return {
    key,
    isVerified,
    depth,
    secureContext: createSecureContext({
      ...(isVerified ? { ca: [...authorities] } : {}),
      ...(client === undefined ? {} : { cert: client.cert, key: client.key })
    })
  }
}

type VerifySettings = Pick<SettingValues, "nginx_proxy_proxy_ssl_verify" | "nginx_proxy_proxy_ssl_verify_depth">

/** More than these are forgotten and made again. */
const maxIdentities = 1000

/** Throws what Node says of a certificate or key that can't be used. */
export const makeIdentityFinder = (
  settings: VerifySettings,
  defaults: UpstreamDefaults
): ((compiled: CompiledRoute) => UpstreamIdentity) => {
  const byRoute = new WeakMap<CompiledRoute, UpstreamIdentity>()
  const byKey = new Map<string, UpstreamIdentity>()

  const partsOf = ({ service, clientCertificate, caCertificates }: CompiledRoute): Parts => {
    const isVerified = service?.tls_verify ?? settings.nginx_proxy_proxy_ssl_verify
    const own = caCertificates.map(({ cert }) => cert)
    return {
      isVerified,
      depth: isVerified ? (service?.tls_verify_depth ?? settings.nginx_proxy_proxy_ssl_verify_depth) : 0,
      authorities: !isVerified ? [] : own.length > 0 ? own : defaults.authorities(),
      client: clientCertificate ?? defaults.clientCertificate
    }
  }
  const find = (compiled: CompiledRoute): UpstreamIdentity => {
    const parts = partsOf(compiled)
    const key = keyOf(parts)
    const known = byKey.get(key) ?? make(parts, key)
    if (byKey.size >= maxIdentities) byKey.clear()
    byKey.set(key, known)
    return known
  }
  return (compiled) => {
    const known = byRoute.get(compiled) ?? find(compiled)
    byRoute.set(compiled, known)
    return known
  }
}
