/** What settings owe each other. Each rule names the setting that has to change. */

import type { Fault } from "./Fault.ts"
import { isLoopback } from "./Loopback.ts"
import type { SettingName, SettingValues } from "./SettingTable.ts"
import { servedInstrumentations } from "./tracing/instrumentations.ts"

interface Rule {
  readonly setting: SettingName
  readonly isBroken: (values: SettingValues) => boolean
  readonly message: string
}

const isJoined = ({ role, cluster_control_plane }: SettingValues): boolean =>
  role === "control_plane" || cluster_control_plane !== undefined

/** Whether this process asks others by the mutual TLS of the cluster, or is asked. */
export const hasCluster = (values: SettingValues): boolean => isJoined(values) || values.config_peer_listen.length > 0

const trustsNobody = ({ cluster_mtls, cluster_ca_cert, lua_ssl_trusted_certificate }: SettingValues): boolean =>
  cluster_mtls !== "shared" && cluster_ca_cert === undefined && lua_ssl_trusted_certificate.length === 0

/** Whether the certificate of a forward proxy has to be judged (`hybrid-protocol-v1.md` §1.4). */
export const verifiesProxy = ({
  role,
  cluster_use_proxy,
  proxy_server,
  proxy_server_ssl_verify
}: Pick<SettingValues, "role" | "cluster_use_proxy" | "proxy_server" | "proxy_server_ssl_verify">): boolean =>
  role === "data_plane" && cluster_use_proxy && proxy_server?.isTls === true && proxy_server_ssl_verify

const rules: ReadonlyArray<Rule> = [
  {
    setting: "cluster_cert",
    isBroken: (values) => hasCluster(values) && values.cluster_cert === undefined,
    message:
      "expected a certificate, for nodes and both planes know each other by it; `holdfast certs --out DIR` makes one"
  },
  {
    setting: "cluster_cert_key",
    isBroken: (values) => hasCluster(values) && values.cluster_cert_key === undefined,
    message: "expected the key of cluster_cert"
  },
  {
    setting: "cluster_ca_cert",
    isBroken: ({ role, cluster_mtls, cluster_ca_cert }) =>
      role === "control_plane" && cluster_mtls !== "shared" && cluster_ca_cert === undefined,
    message: "expected the authority that signs the data planes' certificates, for cluster_mtls is not shared"
  },
  {
    setting: "cluster_ca_cert",
    isBroken: (values) => values.role === "data_plane" && hasCluster(values) && trustsNobody(values),
    message: "expected an authority, here or in lua_ssl_trusted_certificate, by which to know the control plane"
  },
  {
    setting: "cluster_ca_cert",
    isBroken: ({ role, cluster_mtls, cluster_ca_cert, config_peer_listen }) =>
      role === "data_plane" &&
      config_peer_listen.length > 0 &&
      cluster_mtls !== "shared" &&
      cluster_ca_cert === undefined,
    message:
      "expected the authority that signs the data planes' certificates, for neighbours that dial config_peer_listen are known by it alone"
  },
  {
    setting: "cluster_fallback_config_storage",
    isBroken: (values) =>
      (values.cluster_fallback_config_export || values.cluster_fallback_config_import) &&
      values.cluster_fallback_config_storage === undefined,
    message: "expected a place, for cluster_fallback_config_export or _import is on"
  },
  {
    setting: "config_require_signature",
    isBroken: ({ config_require_signature: isRequired, config_trust_keys: keys }) => isRequired && keys === undefined,
    message: "expected config_trust_keys, by which signatures are known"
  },
  {
    setting: "proxy_server",
    isBroken: ({ role, cluster_use_proxy, proxy_server }) =>
      role === "data_plane" && cluster_use_proxy && proxy_server === undefined,
    message: "expected a forward proxy, for cluster_use_proxy is on"
  },
  {
    setting: "lua_ssl_trusted_certificate",
    isBroken: (values) => verifiesProxy(values) && values.lua_ssl_trusted_certificate.length === 0,
    message: "expected an authority by which to know proxy_server, or proxy_server_ssl_verify=off"
  },
  {
    setting: "database",
    isBroken: ({ role, database }) => role === "control_plane" && database === "off",
    message: "expected sqlite, for a control plane keeps its entities there"
  },
  {
    setting: "database",
    isBroken: ({ role, database }) => role === "data_plane" && database !== undefined && database !== "off",
    message: "expected off, for a data plane keeps no entities of its own"
  },
  {
    setting: "admin_token",
    isBroken: ({ role, admin_listen, admin_token }) =>
      role === "control_plane" && admin_token === undefined && !admin_listen.every(({ host }) => isLoopback(host)),
    message: "expected a token, because admin_listen is reachable from other machines"
  },
  {
    setting: "cluster_dp_labels",
    isBroken: ({ role, cluster_dp_labels }) => role === "control_plane" && Object.keys(cluster_dp_labels).length > 0,
    message: "expected nothing, for only a data plane has labels"
  },
  {
    setting: "license_public_key",
    isBroken: ({ license_require_signature, license_public_key }) =>
      license_require_signature && license_public_key === undefined,
    message: "expected the key that licences are signed with, for license_require_signature is on"
  },
  {
    setting: "config_cache_key_file",
    isBroken: ({ config_cache_encryption, config_cache_key_file }) =>
      config_cache_encryption === "file" && config_cache_key_file === undefined,
    message: "expected the path of a file of keys, for config_cache_encryption is file"
  },
  {
    setting: "config_cache_key",
    isBroken: ({ config_cache_encryption, config_cache_key }) =>
      config_cache_encryption === "environment" && config_cache_key === undefined,
    message: "expected a key, for config_cache_encryption is environment; `openssl rand -base64 32` makes one"
  },
  {
    setting: "config_cache_encryption",
    isBroken: (values) =>
      values.config_cache_encryption === "cluster_key" && !isJoined(values) && values.cluster_cert_key === undefined,
    message: "expected another mode than cluster_key, for this node on its own has no cluster_cert_key"
  },
  {
    setting: "config_sources",
    isBroken: ({ role, cluster_control_plane, config_sources }) =>
      role === "data_plane" &&
      cluster_control_plane !== undefined &&
      config_sources?.includes("control_plane") === false,
    message: "expected control_plane among them, for cluster_control_plane names one"
  },
  {
    setting: "opentelemetry_traces_endpoint",
    isBroken: ({ role, tracing_instrumentations, opentelemetry_traces_endpoint }) =>
      role === "data_plane" &&
      tracing_instrumentations.some((name) => servedInstrumentations.has(name)) &&
      opentelemetry_traces_endpoint === undefined,
    message: "expected the URL of a collector, for tracing_instrumentations is not off"
  },
  {
    setting: "ssl_cert_key",
    isBroken: ({ ssl_cert, ssl_cert_key }) => ssl_cert !== undefined && ssl_cert_key === undefined,
    message: "expected the key of ssl_cert"
  },
  {
    setting: "ssl_cert",
    isBroken: ({ ssl_cert, ssl_cert_key }) => ssl_cert === undefined && ssl_cert_key !== undefined,
    message: "expected the certificate of ssl_cert_key"
  },
  {
    setting: "client_ssl_cert",
    isBroken: ({ client_ssl, client_ssl_cert }) => client_ssl && client_ssl_cert === undefined,
    message: "expected a certificate, for client_ssl is on"
  },
  {
    setting: "client_ssl_cert_key",
    isBroken: ({ client_ssl, client_ssl_cert_key }) => client_ssl && client_ssl_cert_key === undefined,
    message: "expected the key of client_ssl_cert, for client_ssl is on"
  }
]

/** What a rule looks at decides whether it can be asked; so each look is noted. */
const canBeAsked = (rule: Rule, values: SettingValues, unreadable: ReadonlySet<string>): boolean => {
  let canBe = true
  rule.isBroken(
    new Proxy(values, {
      get: (target, name) => {
        if (unreadable.has(String(name))) canBe = false
        return Reflect.get(target, name)
      }
    })
  )
  return canBe
}

/** A rule about a setting that could not be read stays silent: its fault is told already, and its value is a stand-in. */
export const settingRules = (
  values: SettingValues,
  unreadable: ReadonlySet<string> = new Set()
): ReadonlyArray<Fault> =>
  rules
    .filter((rule) => rule.isBroken(values) && canBeAsked(rule, values, unreadable))
    .map(({ setting, message }) => ({ path: [setting], message }))
