/**
 * Every setting: the one source of names, types, defaults and help. Names and defaults are Kong's wherever Kong has
 * the setting (`hybrid-protocol-v1.md` §13, `proxy-behaviour.md`).
 */

import { accessLogFormats } from "./AccessLog.ts"
import { answerTokens } from "./AnswerHeaders.ts"
import { metricGroups } from "./metrics/metricGroups.ts"
import type { SettingType } from "./SettingTypes.ts"
import * as Type from "./SettingTypes.ts"
import { tracingInstrumentations } from "./tracing/instrumentations.ts"

export interface Setting<A> {
  readonly type: SettingType<A>
  /** The default, written as a user would write it; `undefined` when there is none. */
  readonly preset: string | undefined
  /** The default of a control plane, where that is another one. */
  readonly controlPlanePreset?: string
  readonly help: string
  /** True when the value must not be shown: it goes out as six asterisks. */
  readonly isSecret: boolean
}

const optional = <A>(type: SettingType<A>, help: string): Setting<A | undefined> => ({
  type: type as SettingType<A | undefined>,
  preset: undefined,
  help,
  isSecret: false
})

const preset = <A>(type: SettingType<A>, value: string, help: string): Setting<A> => ({
  type,
  preset: value,
  help,
  isSecret: false
})

const secret = <A>(setting: Setting<A>): Setting<A> => ({ ...setting, isSecret: true })

export const settingTable = {
  role: preset(Type.oneOf(["data_plane", "control_plane"]), "data_plane", "What this process is."),
  prefix: preset(Type.text, "/usr/local/kong", "Working directory: the cache, the node id, the control plane's store."),
  log_level: preset(
    Type.oneOf(["debug", "info", "notice", "warn", "error", "crit"]),
    "notice",
    "Least severity that is logged."
  ),
  kong_version: preset(
    Type.version,
    "3.9.0",
    "The gateway version that this node claims towards Kong peers, in Via and in Server."
  ),
  database: optional(
    Type.oneOf(["off", "sqlite"]),
    "Where a control plane keeps its entities: sqlite. A data plane has none: off."
  ),
  plugins: preset(
    Type.pluginNames,
    "bundled",
    "Plugins that are enabled, comma-separated: bundled for all that the program comes with, names, or off for none."
  ),
  drain_timeout: preset(Type.number(0, 86_400), "10", "Seconds that requests in flight have to finish after SIGTERM."),

  proxy_listen: preset(
    Type.listenAddresses,
    "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384",
    "Addresses on which a data plane proxies."
  ),
  status_listen: {
    ...preset(
      Type.listenAddresses,
      "127.0.0.1:8007 reuseport backlog=16384",
      "Addresses of the status API: probes and metrics, without a token."
    ),
    controlPlanePreset: "off"
  },
  admin_listen: preset(
    Type.listenAddresses,
    "127.0.0.1:8001 reuseport backlog=16384",
    "Addresses of the control plane's admin API."
  ),
  admin_token: secret(
    optional(
      Type.text,
      "Token that admin requests must carry in Kong-Admin-Token. Required when admin_listen is not loopback."
    )
  ),

  node_id: optional(
    Type.uuid,
    "Id of this data plane node; otherwise read from, or made and kept in, <prefix>/kong.id."
  ),
  cluster_control_plane: optional(
    Type.hostPort,
    "host:port of the control plane. Without it a data plane is a node on its own."
  ),
  cluster_use_proxy: preset(
    Type.onOff,
    "off",
    "Whether a data plane dials its control plane through the forward proxy of proxy_server."
  ),
  proxy_server: secret(
    optional(
      Type.forwardProxy,
      "The forward proxy of cluster_use_proxy. User name and password may be percent-encoded: # as %23, @ as %40, % as %25."
    )
  ),
  proxy_server_ssl_verify: preset(
    Type.onOff,
    "on",
    "Whether the certificate of an https:// proxy_server is verified, by lua_ssl_trusted_certificate."
  ),
  cluster_listen: preset(
    Type.listenAddresses,
    "0.0.0.0:8005",
    "Addresses on which a control plane awaits data planes, always with TLS."
  ),
  cluster_mtls: preset(
    Type.oneOf(["shared", "pki", "pki_check_cn"]),
    "shared",
    "How both planes know each other: one shared certificate, one authority, or one authority and the common name."
  ),
  cluster_cert: optional(Type.text, "Cluster certificate: a path, PEM text, or base64 of PEM."),
  cluster_cert_key: secret(optional(Type.text, "Key of the cluster certificate: a path, PEM text, or base64 of PEM.")),
  cluster_cert_overlap: preset(
    Type.number(0, 2_147_483),
    "86400",
    "Seconds for which the former certificate counts beside a new one in the shared mode, once its file was replaced; 0 for none."
  ),
  cluster_cert_key_previous: secret(
    optional(
      Type.text,
      "The key that cluster_cert_key was before: only to read a cache that was encrypted, or sealed, by way of it."
    )
  ),
  cluster_ca_cert: optional(
    Type.text,
    "Authority of the peer's certificate in the pki modes: a path, PEM text, or base64 of PEM. A control plane needs it."
  ),
  cluster_server_name: optional(
    Type.text,
    "Name or address that a data plane expects in the pki modes, and asks for if it is a name; otherwise the host of cluster_control_plane."
  ),
  cluster_allowed_common_names: preset(
    Type.list,
    "",
    "Common names of data planes that pki_check_cn lets in; without any, those with the parent domain of cluster_cert's."
  ),
  cluster_ocsp: preset(
    Type.oneOf(["off", "optional", "on"]),
    "off",
    "Whether a control plane asks, in the pki modes, if a certificate was revoked; optional lets in when nobody can say."
  ),
  lua_ssl_trusted_certificate: preset(
    Type.list,
    "system",
    "What a data plane trusts in upstreams, in an https:// proxy_server, and besides cluster_ca_cert in the pki modes: system, paths, PEM, base64 of it."
  ),
  lua_ssl_verify_depth: preset(
    Type.integer(0, 100),
    "1",
    "Most intermediate authorities that a data plane accepts between its control plane and the authority it trusts."
  ),
  cluster_max_payload: preset(
    Type.integer(4_194_304, 2_147_483_647),
    "16777216",
    "Largest cluster message in bytes, as it stands on the wire (compressed)."
  ),
  cluster_data_plane_purge_delay: preset(
    Type.integer(60, 2_147_483_647),
    "1209600",
    "Seconds after which a control plane forgets a data plane that it no longer hears of."
  ),
  cluster_dp_labels: preset(Type.labels, "", "Labels of this data plane: key:value, comma-separated."),
  db_update_frequency: preset(
    Type.number(0.001, 3600),
    "0.1",
    "Window in seconds within which a control plane collapses a burst of changes into one push."
  ),

  cluster_reconnect_policy: preset(
    Type.oneOf(["kong", "backoff"]),
    "kong",
    "How long a data plane waits between attempts: kong, 5 to 10 s each time; backoff, at random up to a limit that doubles."
  ),
  cluster_reconnect_backoff_max: preset(
    Type.number(10, 3600),
    "120",
    "Seconds that the limit of cluster_reconnect_policy=backoff grows to."
  ),
  cluster_retry_after_max: preset(
    Type.number(0, 86_400),
    "300",
    "Longest time in seconds that a control plane's Retry-After keeps a data plane away; up to 5 s of jitter come on top."
  ),

  telemetry: preset(
    Type.onOff,
    "on",
    "Whether a data plane with a control plane keeps analytics and billing for it, by ids alone; one on its own never does."
  ),
  analytics_flush_interval: preset(
    Type.number(0.1, 3600),
    "10",
    "Seconds that one window of analytics lasts. Kong's default is 1; the longer a window, the longer an outage that the spool holds."
  ),
  telemetry_spool_max_bytes: preset(
    Type.integer(1_048_576, 1_099_511_627_776),
    "268435456",
    "Most bytes of telemetry that wait in <prefix>/telemetry for the control plane; beyond that the oldest analytics is dropped."
  ),
  telemetry_spool_max_age: preset(
    Type.integer(60, 315_360_000),
    "2592000",
    "Seconds after which telemetry that nobody took is dropped, but for the newest billing record of each life of the process."
  ),
  cluster_telemetry_endpoint: optional(
    Type.hostPort,
    "host:port where a data plane delivers telemetry; otherwise where cluster_control_plane says."
  ),
  cluster_telemetry_server_name: optional(
    Type.text,
    "Name or address that a data plane expects there in the pki modes; otherwise the host of cluster_telemetry_endpoint, or as for the configuration."
  ),
  cluster_telemetry_listen: preset(
    Type.listenAddresses,
    "off",
    "Addresses on which a control plane takes telemetry and nothing else, besides cluster_listen, which takes both."
  ),
  telemetry_retention: preset(
    Type.integer(1, 3650),
    "90",
    "Days for which a control plane keeps analytics: requests by minute, service, route and consumer."
  ),
  billing_retention: preset(
    Type.integer(1, 36_500),
    "800",
    "Days for which a control plane keeps billing: API calls by minute and node."
  ),
  billing_dev_portals: preset(
    Type.integer(0, 2_147_483_647),
    "0",
    "How many developer portals a control plane tells of in GET /billing/usage."
  ),

  konnect_mode: preset(
    Type.onOff,
    "off",
    "Whether the control plane is Konnect's: it is told why a data plane refused a configuration, and telemetry stays local."
  ),
  vitals: preset(Type.onOff, "off", "Accepted from Konnect's settings; there are no vitals, on or off."),
  router_flavor: preset(
    Type.oneOf(["traditional_compatible", "traditional", "expressions"]),
    "traditional_compatible",
    "The rules of routing. Only traditional_compatible is served; another one is accepted with a warning."
  ),

  prometheus_metrics: preset(
    Type.offOrSome(metricGroups),
    "status_code_metrics, latency_metrics, bandwidth_metrics, upstream_health_metrics",
    "What GET /metrics of a data plane tells of requests and targets, by the names that Kong's prometheus plugin has for it; off for none."
  ),
  prometheus_limit: preset(
    Type.integer(0, 1_000_000),
    "1000",
    "Most combinations of service, route and consumer, and most targets, that have series; holdfast_metrics_left_out counts the others."
  ),

  proxy_access_log: preset(
    Type.logPath,
    "off",
    "Where a data plane writes one line for each request: off, /dev/stdout, /dev/stderr, or a path, of <prefix> unless it is absolute. SIGUSR1 opens it anew."
  ),
  proxy_access_log_format: preset(
    Type.oneOf(accessLogFormats),
    "combined",
    "How such a line looks: nginx's combined format, or JSON with route, service, consumer and latencies."
  ),
  proxy_access_log_query: preset(
    Type.onOff,
    "off",
    "Whether targets and referers stand in the access log with their queries, which may hold secrets."
  ),

  tracing_instrumentations: preset(
    Type.offOrSome(tracingInstrumentations),
    "off",
    "What of a request is traced: request, the request itself; balancer, also its way to the upstream; all. Kong's other names are accepted and have no spans."
  ),
  tracing_sampling_rate: preset(
    Type.number(0, 1),
    "0.01",
    "Share of the requests that are traced, of those whose traceparent does not decide it."
  ),
  tracing_client_address: preset(Type.onOff, "off", "Whether spans tell the addresses of clients."),
  opentelemetry_traces_endpoint: optional(
    Type.httpUrl,
    "Where spans go, by OTLP over HTTP: http://collector:4318/v1/traces. Without it nothing is traced."
  ),
  opentelemetry_metrics_endpoint: optional(
    Type.httpUrl,
    "Where a data plane's metrics go, by OTLP over HTTP: http://collector:4318/v1/metrics."
  ),
  opentelemetry_metrics_interval: preset(Type.number(1, 3600), "60", "Seconds between two exports of metrics."),
  opentelemetry_protocol: preset(
    Type.oneOf(["http/protobuf", "http/json"]),
    "http/protobuf",
    "The form in which a collector is sent spans and metrics."
  ),
  opentelemetry_headers: secret(
    preset(Type.headerPairs, "", "Headers for the collector, such as authorization=Bearer%20TOKEN.")
  ),
  opentelemetry_resource_attributes: preset(
    Type.attributePairs,
    "",
    "Attributes of this node for the collector, such as service.name=edge,deployment.environment.name=prod."
  ),

  declarative_config: optional(
    Type.text,
    "Path of a declarative file (YAML or JSON) that is served when nothing better is at hand."
  ),
  declarative_config_watch: preset(
    Type.onOff,
    "off",
    "Read declarative_config again whenever the file changes, not only on SIGHUP."
  ),
  declarative_config_string: secret(optional(Type.text, "The same, as the text itself.")),
  config_sources: optional(
    Type.sources,
    "Where a data plane takes its configuration from, best first; what is not listed is not used. Unset: that very order, and declarative_file before disk on a node on its own."
  ),
  config_cache_generations: preset(
    Type.integer(0, 100),
    "5",
    "Earlier configurations kept in <prefix>/generations, asked only when the cache file is there and refused; 0 for none."
  ),

  cluster_fallback_config_export: preset(
    Type.onOff,
    "off",
    "Whether this node writes its control plane's configuration, or this control plane its own, to cluster_fallback_config_storage."
  ),
  cluster_fallback_config_import: preset(
    Type.onOff,
    "off",
    "Whether a data plane that finds nothing better takes its configuration from cluster_fallback_config_storage while its control plane can't be reached."
  ),
  cluster_fallback_config_storage: optional(
    Type.storageLocation,
    "Where configurations lie for nodes that can't reach their control plane. Credentials come from the environment."
  ),
  cluster_fallback_config_export_delay: preset(
    Type.number(0, 86_400),
    "60",
    "Least time in seconds between two exports; of what comes in between, the newest is exported."
  ),
  cluster_fallback_config_export_conditional: preset(
    Type.onOff,
    "on",
    "Whether the store has to refuse a write over what somebody else wrote meanwhile. Off for a store that can't, and then for one exporter alone."
  ),
  cluster_fallback_export_s3_config: secret(
    optional(
      Type.jsonObject,
      'What is added to each PutObject of S3, as JSON: such as {"ServerSideEncryption":"aws:kms"}.'
    )
  ),
  config_peers: optional(
    Type.peers,
    "Neighbours that a data plane asks for their configuration while its control plane can't be reached."
  ),
  config_peer_listen: preset(
    Type.listenAddresses,
    "off",
    "Addresses on which a data plane gives its configuration to neighbours, over the mutual TLS of the cluster."
  ),
  config_peer_server_name: optional(
    Type.text,
    "Name that a neighbour's certificate has in the pki modes; otherwise the host that was asked."
  ),

  config_signing_key: secret(
    optional(
      Type.text,
      "Ed25519 private key with which a control plane signs its configurations: a path, PEM text, or base64 of PEM."
    )
  ),
  config_trust_keys: optional(
    Type.text,
    "Ed25519 public keys, one or several. With them, a configuration from disk, peers or object storage serves only if one of them signed it, or this node sealed it: a path, PEM text, or base64 of PEM."
  ),
  config_require_signature: preset(
    Type.onOff,
    "off",
    "Whether what the control plane itself sends must be signed by a key of config_trust_keys as well."
  ),
  config_encryption_recipients: optional(
    Type.ageRecipients,
    "Whose keys exported configurations are encrypted to, in the age format; nothing is exported in plain then."
  ),
  config_decryption_keys: secret(
    optional(Type.text, "age identities that read what was encrypted for them, one a line: a path, or the text itself.")
  ),

  license_data: secret(optional(Type.text, "A licence, as the text of its license.json.")),
  license_path: optional(
    Type.text,
    "Path of a licence that counts where neither the configuration nor license_data has one; then <prefix>/license.json."
  ),
  license_on_expiry: preset(
    Type.oneOf(["stop", "warn"]),
    "stop",
    "What an expired licence does: stop answers every request 503, warn serves on."
  ),
  license_grace_days: preset(
    Type.integer(0, 3650),
    "0",
    "Days after its expiry during which a licence still counts, with a warning."
  ),
  license_require_signature: preset(
    Type.onOff,
    "off",
    "Whether a licence that no key of license_public_key has signed is refused. One that still names such a key, and was changed, always is."
  ),
  license_public_key: optional(
    Type.text,
    "Ed25519 public keys, one or several, that licences are checked by: a path, PEM text, or base64 of PEM."
  ),
  config_cache_encryption: preset(
    Type.oneOf(["off", "file", "environment", "cluster_key"]),
    "off",
    "Whether the cache is encrypted, and whose key that takes: config_cache_key_file, config_cache_key, or cluster_cert_key."
  ),
  config_cache_key_file: optional(
    Type.text,
    "Path of a file of keys for the cache, one a line, as in config_cache_key: the first one writes, all read."
  ),
  config_cache_key: secret(
    optional(Type.cacheKeys, "Keys for the cache, meant for the environment: the first one writes, all read.")
  ),

  ssl_cert: optional(Type.text, "Default certificate of the TLS proxy listeners; one is generated when unset."),
  ssl_cert_key: secret(optional(Type.text, "Key of ssl_cert.")),
  trusted_ips: preset(Type.cidrs, "", "Peers whose X-Forwarded-* headers are believed."),
  real_ip_header: preset(
    Type.headerName,
    "X-Real-IP",
    "Header by which a trusted peer names the client; the last address counts when there are several."
  ),
  real_ip_recursive: preset(
    Type.onOff,
    "off",
    "Whether the last address that is not trusted itself counts, instead of the last one."
  ),
  port_maps: preset(
    Type.portMaps,
    "",
    "outer:inner ports, comma-separated, where clients reach a listener by another port than its own."
  ),
  headers: preset(
    Type.offOrSome(answerTokens),
    "server_tokens, latency_tokens, X-Kong-Request-Id",
    "Headers that answers get from this node; off for none."
  ),
  headers_upstream: preset(
    Type.offOrSome(["X-Kong-Request-Id"]),
    "X-Kong-Request-Id",
    "Headers that requests to upstreams get besides the forwarded ones; off for none."
  ),
  allow_debug_header: preset(
    Type.onOff,
    "off",
    "Whether answers to requests with a Kong-Debug header name their route and service."
  ),
  client_body_timeout: preset(
    Type.number(0.001, 86_400),
    "60",
    "Seconds between two pieces of a request's body; a client that stays silent longer is answered 408."
  ),
  send_timeout: preset(
    Type.number(0.001, 86_400),
    "60",
    "Seconds in which a client must take some of the answer that waits for it; its connection is closed otherwise."
  ),
  client_ssl: preset(Type.onOff, "off", "Whether upstreams that ask are shown client_ssl_cert."),
  client_ssl_cert: optional(
    Type.text,
    "Client certificate for upstreams whose service and upstream name none: a path, PEM text, or base64 of PEM."
  ),
  client_ssl_cert_key: secret(optional(Type.text, "Key of client_ssl_cert: a path, PEM text, or base64 of PEM.")),
  nginx_proxy_proxy_ssl_verify: preset(
    Type.onOff,
    "off",
    "Whether certificates of upstreams are verified where the service's tls_verify says nothing."
  ),
  nginx_proxy_proxy_ssl_verify_depth: preset(
    Type.integer(0, 64),
    "1",
    "Most intermediate authorities of a verified upstream where the service's tls_verify_depth says nothing."
  ),
  error_template_html: optional(
    Type.text,
    "Path of a template for error bodies in HTML: its first %s is the message, its second the request id."
  ),
  error_template_json: optional(Type.text, "The same in JSON."),
  error_template_xml: optional(Type.text, "The same in XML."),
  error_template_plain: optional(Type.text, "The same as plain text."),
  error_default_type: preset(
    Type.oneOf(["application/grpc", "application/json", "application/xml", "text/html", "text/plain"]),
    "text/plain",
    "Format of error bodies when the request asks for none."
  ),
  dns_resolver: preset(
    Type.nameServers,
    "",
    "Name servers as ip or ip:port, comma-separated; those of /etc/resolv.conf when empty."
  ),
  dns_hostsfile: preset(Type.text, "/etc/hosts", "Hosts file; read once, at start."),
  dns_order: preset(
    Type.recordOrder,
    "LAST,SRV,A,CNAME",
    "Record types in the order in which they are asked for; LAST is the one that last had an answer."
  ),
  dns_valid_ttl: optional(Type.number(0, 2_147_483_647), "Seconds that records hold, instead of their own TTL."),
  dns_stale_ttl: preset(
    Type.number(0, 2_147_483_647),
    "3600",
    "Seconds beyond their TTL that records are used while they are asked for again."
  ),
  dns_not_found_ttl: preset(Type.number(0, 2_147_483_647), "30", "Seconds that a name counts as absent."),
  dns_error_ttl: preset(Type.number(0, 2_147_483_647), "1", "Seconds until a failed question is asked again."),
  dns_cache_size: preset(Type.integer(100, 10_000_000), "10000", "Most host names that are remembered."),
  upstream_keepalive_pool_size: preset(
    Type.integer(0, 1_000_000),
    "512",
    "Idle connections kept per upstream address; 0 keeps none."
  ),
  upstream_keepalive_max_requests: preset(
    Type.integer(0, 2_147_483_647),
    "10000",
    "Requests after which an upstream connection is closed; 0 sets no limit."
  ),
  upstream_keepalive_idle_timeout: preset(
    Type.number(0, 86_400),
    "60",
    "Seconds that an idle upstream connection is kept."
  )
} as const satisfies Readonly<Record<string, Setting<unknown>>>

export type SettingName = keyof typeof settingTable

/** The values of all settings. */
export type SettingValues = {
  readonly [K in SettingName]: (typeof settingTable)[K] extends Setting<infer A> ? A : never
}
