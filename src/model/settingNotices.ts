/** Settings that are understood but not served: they do not stop a start, and whoever set them must learn of it. */
import type { Fault } from "./Fault.ts"
import { parseSettings } from "./parseSettings.ts"
import type { SettingName, SettingValues } from "./SettingTable.ts"
import { servedInstrumentations } from "./tracing/instrumentations.ts"

interface Notice {
  readonly setting: SettingName
  readonly isDue: (values: SettingValues) => boolean
  readonly message: string
}

const notices: ReadonlyArray<Notice> = [
  {
    setting: "router_flavor",
    isDue: ({ router_flavor }) => router_flavor !== "traditional_compatible",
    message: "traditional_compatible is served; routes that need another flavour are refused with their configuration"
  },
  {
    setting: "cluster_ocsp",
    isDue: ({ role, cluster_mtls, cluster_ocsp }) =>
      role === "control_plane" && cluster_mtls === "shared" && cluster_ocsp !== "off",
    message: "nobody is asked, for nobody can revoke the one certificate of cluster_mtls=shared"
  },
  {
    setting: "config_sources",
    isDue: ({ cluster_control_plane, config_sources }) =>
      cluster_control_plane !== undefined && config_sources !== undefined && config_sources[0] !== "control_plane",
    message: "what the control plane sends is refused while a source listed before it serves"
  },
  {
    setting: "config_peers",
    isDue: ({ role, config_peers, cluster_control_plane }) =>
      role === "data_plane" && config_peers !== undefined && cluster_control_plane === undefined,
    message: "nobody is asked, for there is no control plane that could be away"
  },
  {
    setting: "config_peers",
    isDue: ({ config_peers, config_sources }) =>
      config_peers !== undefined && config_sources?.includes("peer") === false,
    message: "nobody is asked, for config_sources leaves peer out"
  },
  {
    setting: "config_peer_server_name",
    isDue: ({ cluster_mtls, config_peer_server_name }) =>
      cluster_mtls === "shared" && config_peer_server_name !== undefined,
    message: "the certificate of cluster_mtls=shared has one name for all"
  },
  {
    setting: "tracing_instrumentations",
    isDue: ({ tracing_instrumentations: names }) => names.some((name) => !servedInstrumentations.has(name)),
    message: "request, balancer and all have spans; the others have none"
  },
  {
    setting: "opentelemetry_traces_endpoint",
    isDue: ({ tracing_instrumentations: names, opentelemetry_traces_endpoint: endpoint }) =>
      endpoint !== undefined && !names.some((name) => servedInstrumentations.has(name)),
    message: "nothing is sent there, for tracing_instrumentations names nothing that has spans"
  },
  {
    setting: "proxy_access_log",
    isDue: ({ proxy_access_log }) => /\s/.test(proxy_access_log),
    message: "what stands behind the path is not looked at: proxy_access_log_format says what a line looks like"
  },
  {
    setting: "declarative_config",
    isDue: ({ declarative_config, config_sources }) =>
      declarative_config !== undefined && config_sources?.includes("declarative_file") === false,
    message: "the file is not read, for config_sources leaves declarative_file out"
  }
]

/** What only a data plane has: a licence, a cache, a way out by a forward proxy. */
const ofDataPlane: ReadonlyArray<SettingName> = [
  "cluster_fallback_config_import",
  "config_peers",
  "config_peer_listen",
  "config_trust_keys",
  "config_decryption_keys",
  "license_data",
  "license_path",
  "license_on_expiry",
  "license_grace_days",
  "license_require_signature",
  "license_public_key",
  "config_cache_generations",
  "config_cache_encryption",
  "config_cache_key_file",
  "config_cache_key",
  "cluster_cert_key_previous",
  "cluster_use_proxy",
  "proxy_access_log",
  "opentelemetry_traces_endpoint",
  "opentelemetry_metrics_endpoint"
]

/** No value is shown: some of them are secrets, and some may be one by mistake. */
const onlyOnDataPlane = (values: SettingValues): ReadonlyArray<Fault> => {
  if (values.role === "data_plane") return []
  const { values: presets } = parseSettings({ env: {} })
  return ofDataPlane
    .filter((name) => JSON.stringify(values[name]) !== JSON.stringify(presets[name]))
    .map((name) => ({ path: [name], message: "only a data plane goes by it, and this is a control plane" }))
}

export const settingNotices = (values: SettingValues): ReadonlyArray<Fault> => [
  ...notices
    .filter(({ isDue }) => isDue(values))
    .map(({ setting, message }) => ({ path: [setting], message, value: values[setting] })),
  ...onlyOnDataPlane(values)
]
