/** Who a peer of the cluster must be, apart from the cryptography: reference `hybrid-protocol-v1.md` §1.2. */
import { isIP } from "node:net"
import type { Fault } from "./Fault.ts"
import type { SettingValues } from "./SettingTable.ts"
import { sharedServerName } from "./Wire.ts"

/** The protocol's limit for the chain of a data plane's certificate. */
export const controlPlaneVerifyDepth = 4

/**
 * The name that a data plane expects in its control plane's certificate, and asks for unless it is an address, for TLS
 * knows no server name that is one. Empty when the host that is dialled is an address and no other name was given: then
 * that address is expected.
 */
export const serverNameOf = ({
  cluster_mtls,
  cluster_server_name,
  cluster_control_plane
}: Pick<SettingValues, "cluster_mtls" | "cluster_server_name" | "cluster_control_plane">): string => {
  if (cluster_mtls === "shared") return sharedServerName
  const host = cluster_control_plane?.host ?? ""
  return cluster_server_name ?? (isIP(host) === 0 ? host : "")
}

/** The same of whoever takes telemetry: another host has another name, and may be told apart by a setting (`telemetry.md` §A.1). */
export const telemetryServerNameOf = (
  settings: Pick<
    SettingValues,
    | "cluster_mtls"
    | "cluster_server_name"
    | "cluster_control_plane"
    | "cluster_telemetry_endpoint"
    | "cluster_telemetry_server_name"
  >
): string => {
  const { cluster_telemetry_endpoint: endpoint, cluster_telemetry_server_name: name } = settings
  if (settings.cluster_mtls !== "shared" && name !== undefined) return name
  return endpoint === undefined
    ? serverNameOf(settings)
    : serverNameOf({ ...settings, cluster_control_plane: endpoint, cluster_server_name: undefined })
}

/** The name that a node expects in a neighbour's certificate; the host that was asked stands in the setting, or in an SRV record. */
export const peerServerNameOf = (
  { cluster_mtls, config_peer_server_name }: Pick<SettingValues, "cluster_mtls" | "config_peer_server_name">,
  host: string
): string =>
  cluster_mtls === "shared" ? sharedServerName : (config_peer_server_name ?? (isIP(host) === 0 ? host : ""))

/** A subject may have several common names; the last one is the most specific. */
export const commonNameOf = (
  subject: { readonly CN?: string | ReadonlyArray<string> } | undefined
): string | undefined => {
  const found = subject?.CN
  return typeof found === "string" ? found : found?.at(-1)
}

/** `dp-1.eu.example.com` belongs to `eu.example.com`; a name without a dot belongs nowhere. */
export const parentDomain = (commonName: string): string | undefined => {
  const at = commonName.indexOf(".")
  const parent = commonName.slice(at + 1).toLowerCase()
  return at < 0 || parent === "" ? undefined : parent
}

/** Why `pki_check_cn` refuses this name; `undefined` when it does not. */
export const commonNameProblem = (
  name: string | undefined,
  rule: { readonly allowed: ReadonlyArray<string>; readonly own: string | undefined }
): string | undefined => {
  if (name === undefined) return "the client certificate has no common name"
  if (rule.allowed.length > 0) {
    const isListed = rule.allowed.some((allowed) => allowed.toLowerCase() === name.toLowerCase())
    return isListed ? undefined : `the common name ${name} is not in cluster_allowed_common_names`
  }
  const domain = parentDomain(rule.own ?? "")
  return domain !== undefined && parentDomain(name) === domain
    ? undefined
    : `the common name ${name} is not in the domain of cluster_cert, ${domain ?? "which has none"}`
}

/** A rule of `pki_check_cn` that would let nobody in, ever: `own` is the control plane's common name. */
export const commonNameFaults = (
  { cluster_mtls, cluster_allowed_common_names }: Pick<SettingValues, "cluster_mtls" | "cluster_allowed_common_names">,
  own: string | undefined
): ReadonlyArray<Fault> =>
  cluster_mtls === "pki_check_cn" && cluster_allowed_common_names.length === 0 && parentDomain(own ?? "") === undefined
    ? [
        {
          path: ["cluster_allowed_common_names"],
          message: "expected the names of data planes, for the common name of cluster_cert has no domain to share"
        }
      ]
    : []

/** A certificate as Node describes it together with its chain. */
export interface ChainLink {
  readonly fingerprint256: string
  readonly issuerCertificate?: ChainLink
}

/** How many authorities stand between a certificate and the one that ends its chain, which is its own issuer. */
const intermediateCount = (leaf: ChainLink): number => {
  let links = 0
  let at = leaf
  while (at.issuerCertificate !== undefined && at.issuerCertificate.fingerprint256 !== at.fingerprint256) {
    at = at.issuerCertificate
    links++
  }
  return Math.max(0, links - 1)
}

/**
 * `allowedBy` names what sets the limit. The chain is one that was verified, from the peer's own certificate on. Some
 * releases of Node hide from a listener the chain that a client sent (nodejs/node#65579); what is hidden is not counted.
 */
export const depthProblem = (leaf: ChainLink, depth: number, allowedBy: string): string | undefined => {
  const count = intermediateCount(leaf)
  return count <= depth
    ? undefined
    : `${count} intermediate authorities stand behind it, and ${allowedBy} allows ${depth}`
}
