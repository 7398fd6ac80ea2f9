/**
 * Every entity that Holdfast serves, with the fields, defaults and rules of reference `config-model.md` §3, in the
 * order in which they may be written: an entity comes after those that it refers to.
 */
import { define, type Entity, type Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"
import * as Field from "./Field.ts"

const stamps = {
  id: Field.uuid,
  created_at: Field.nullable(Field.timestamp),
  updated_at: Field.nullable(Field.timestamp),
  tags: Field.nullable(Field.set(Field.tag)),
  /** Workspace of the row; absent means the default one. */
  ws_id: Field.nullable(Field.uuid)
} as const

const name = Field.nullable(Field.name)

const fault = (field: string, message: string, value?: unknown): Fault =>
  value === undefined ? { path: [field], message } : { path: [field], message, value }

export const workspaces = define({
  name: "workspaces",
  singular: "workspace",
  fields: {
    id: Field.uuid,
    name: Field.name,
    comment: Field.nullable(Field.string),
    meta: Field.nullable(Field.anything),
    config: Field.nullable(Field.anything),
    created_at: stamps.created_at,
    updated_at: stamps.updated_at
  },
  endpointKey: "name",
  cacheKey: ["name"]
})

// --- certificates ---

export const certificates = define({
  name: "certificates",
  singular: "certificate",
  fields: {
    ...stamps,
    cert: Field.pem,
    key: { ...Field.pem, sensitive: true },
    cert_alt: Field.nullable(Field.pem),
    key_alt: { ...Field.nullable(Field.pem), sensitive: true }
  },
  check: (row) =>
    (row.cert_alt === null) === (row.key_alt === null)
      ? []
      : [fault("cert_alt", "expected cert_alt and key_alt both or neither")]
})

export const caCertificates = define({
  name: "ca_certificates",
  singular: "ca_certificate",
  fields: {
    id: stamps.id,
    created_at: stamps.created_at,
    updated_at: stamps.updated_at,
    tags: stamps.tags,
    cert: Field.pem,
    cert_digest: Field.nullable(Field.string)
  },
  unique: [["cert_digest"]]
})

// --- services and routes ---

const timeoutMsMax = 2 ** 31 - 2
const timeoutMs = Field.withDefault(Field.integer(1, timeoutMsMax), 60_000)
const pathlessProtocols: ReadonlySet<string> = new Set(["tcp", "tls", "udp", "grpc", "grpcs"])
const tlsFields = ["client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates"] as const

/** `url` is a shorthand: the port comes from the scheme when the URL names none. */
const expandUrl = (row: Row): Row => {
  if (typeof row.url !== "string" || !URL.canParse(row.url)) return row
  const { url, ...rest } = row
  const parsed = new URL(url as string)
  const protocol = parsed.protocol.slice(0, -1)
  return {
    ...rest,
    protocol,
    host: parsed.hostname,
    port: parsed.port === "" ? (protocol === "https" ? 443 : 80) : Number(parsed.port),
    path: parsed.pathname === "/" && !(url as string).endsWith("/") ? null : parsed.pathname
  }
}

export const services = define({
  name: "services",
  singular: "service",
  fields: {
    ...stamps,
    name,
    protocol: Field.withDefault(Field.protocol, "http"),
    host: Field.host,
    port: Field.withDefault(Field.port, 80),
    path: Field.nullable(Field.path),
    retries: Field.withDefault(Field.integer(0, 32_767), 5),
    connect_timeout: timeoutMs,
    write_timeout: timeoutMs,
    read_timeout: timeoutMs,
    client_certificate: Field.nullable(Field.reference),
    tls_verify: Field.nullable(Field.boolean),
    tls_verify_depth: Field.nullable(Field.integer(0, 64)),
    ca_certificates: Field.nullable(Field.array(Field.uuid)),
    enabled: Field.withDefault(Field.boolean, true)
  },
  endpointKey: "name",
  references: [{ field: "client_certificate", to: "certificates", onDelete: "restrict" }],
  expand: expandUrl,
  check: (row) => [
    ...(row.path !== null && pathlessProtocols.has(row.protocol)
      ? [fault("path", `expected no path for protocol ${row.protocol}`, row.path)]
      : []),
    ...tlsFields.flatMap((field) =>
      row[field] === null || row.protocol === "https" || row.protocol === "tls"
        ? []
        : [fault(field, `expected no value for protocol ${row.protocol}; only https and tls have one`)]
    )
  ]
})

type Family = "http" | "stream" | "tls_passthrough" | "grpc"
const familyOf: Readonly<Record<string, Family>> = {
  http: "http",
  https: "http",
  grpc: "grpc",
  grpcs: "grpc",
  tcp: "stream",
  tls: "stream",
  udp: "stream",
  tls_passthrough: "tls_passthrough"
}
const matcherFields = ["methods", "hosts", "paths", "headers", "snis", "sources", "destinations"] as const
const tlsProtocols: ReadonlySet<string> = new Set(["grpcs", "https", "tls", "tls_passthrough"])
const matchersOf: Readonly<Record<string, ReadonlyArray<(typeof matcherFields)[number]>>> = {
  http: ["methods", "hosts", "headers", "paths"],
  https: ["methods", "hosts", "headers", "paths", "snis"],
  grpc: ["hosts", "headers", "paths"],
  grpcs: ["hosts", "headers", "paths", "snis"],
  tcp: ["sources", "destinations", "snis"],
  tls: ["sources", "destinations", "snis"],
  udp: ["sources", "destinations", "snis"],
  tls_passthrough: ["snis"]
}

const addressList = Field.nullable(Field.array(Field.anything))

export const routes = define({
  name: "routes",
  singular: "route",
  fields: {
    ...stamps,
    name,
    service: Field.nullable(Field.reference),
    protocols: Field.withDefault(Field.set(Field.protocol, 1), ["http", "https"]),
    methods: Field.nullable(Field.set(Field.method)),
    hosts: Field.nullable(Field.array(Field.routeHost)),
    paths: Field.nullable(Field.array(Field.routePath)),
    headers: Field.nullable(Field.map(Field.headerName, Field.array(Field.string))),
    snis: Field.nullable(Field.set(Field.serverName)),
    sources: addressList,
    destinations: addressList,
    strip_path: Field.withDefault(Field.boolean, true),
    preserve_host: Field.withDefault(Field.boolean, false),
    request_buffering: Field.withDefault(Field.boolean, true),
    response_buffering: Field.withDefault(Field.boolean, true),
    https_redirect_status_code: Field.withDefault(Field.oneOfNumbers([426, 301, 302, 307, 308]), 426),
    regex_priority: Field.withDefault(Field.integer(-2_147_483_648, 2_147_483_647), 0),
    path_handling: Field.withDefault(Field.oneOf(["v0", "v1"]), "v0")
  },
  endpointKey: "name",
  references: [{ field: "service", to: "services", onDelete: "restrict" }],
  // The default depends on the protocols: gRPC paths are never stripped.
  expand: (row) =>
    row.strip_path === undefined || row.strip_path === null
      ? {
          ...row,
          strip_path: !(Array.isArray(row.protocols) && row.protocols.some((p) => familyOf[p] === "grpc"))
        }
      : row,
  check: (row) => {
    const families = new Set(row.protocols.map((protocol) => familyOf[protocol]))
    const allowed = new Set(row.protocols.flatMap((protocol) => matchersOf[protocol] ?? []))
    const isSet = (field: (typeof matcherFields)[number]): boolean => {
      const value = row[field]
      return value !== null && (Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0)
    }
    const found = matcherFields.filter(isSet)
    return [
      ...(families.size > 1
        ? [
            fault(
              "protocols",
              "expected only http/https, only grpc/grpcs, only tcp/tls/udp or only tls_passthrough",
              row.protocols
            )
          ]
        : []),
      ...(found.some((field) => allowed.has(field))
        ? []
        : [
            {
              path: [],
              message: `expected at least one of ${[...allowed].join(", ")} for protocols ${row.protocols.join(", ")}`
            }
          ]),
      ...(found.includes("snis") && !row.protocols.some((protocol) => tlsProtocols.has(protocol))
        ? [
            fault(
              "snis",
              "expected a protocol with TLS (https, grpcs, tls, tls_passthrough) beside snis",
              row.protocols
            )
          ]
        : []),
      ...(families.has("http")
        ? []
        : (["methods"] as const)
            .filter((f) => found.includes(f))
            .map((f) => fault(f, "expected no value for these protocols"))),
      ...(families.has("stream") || families.has("tls_passthrough")
        ? (["hosts", "paths", "headers"] as const)
            .filter((f) => found.includes(f))
            .map((f) => fault(f, "expected no value for these protocols"))
        : []),
      ...(families.has("grpc") && row.strip_path
        ? [fault("strip_path", "expected false for grpc and grpcs", true)]
        : []),
      ...(row.headers !== null && Object.keys(row.headers).some((header) => header.toLowerCase() === "host")
        ? [fault("headers", "expected no header named host; use hosts")]
        : [])
    ]
  }
})

export const snis = define({
  name: "snis",
  singular: "sni",
  fields: { ...stamps, name: Field.sniName, certificate: Field.reference },
  endpointKey: "name",
  references: [{ field: "certificate", to: "certificates", onDelete: "cascade" }]
})

// --- upstreams and targets ---

const status = Field.integer(100, 999)
const counter = Field.withDefault(Field.integer(0, 255), 0)
const interval = Field.withDefault(Field.number(0, 65_535), 0)
const checkType = Field.withDefault(Field.oneOf(["tcp", "http", "https", "grpc", "grpcs"]), "http")
const hashInput = Field.withDefault(
  Field.oneOf(["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]),
  "none"
)
const failureCounters = { tcp_failures: counter, timeouts: counter, http_failures: counter }

const healthchecks = Field.record({
  threshold: Field.withDefault(Field.number(0, 100), 0),
  active: Field.record({
    type: checkType,
    timeout: Field.withDefault(Field.number(0, 65_535), 1),
    concurrency: Field.withDefault(Field.integer(1, 2_147_483_647), 10),
    http_path: Field.withDefault(Field.path, "/"),
    https_sni: Field.nullable(Field.serverName),
    https_verify_certificate: Field.withDefault(Field.boolean, true),
    headers: Field.nullable(Field.map(Field.headerName, Field.array(Field.string))),
    healthy: Field.record({
      interval,
      http_statuses: Field.withDefault(Field.array(status), [200, 302]),
      successes: counter
    }),
    unhealthy: Field.record({
      interval,
      http_statuses: Field.withDefault(Field.array(status), [429, 404, 500, 501, 502, 503, 504, 505]),
      ...failureCounters
    })
  }),
  passive: Field.record({
    type: checkType,
    healthy: Field.record({
      http_statuses: Field.withDefault(
        Field.array(status),
        [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308]
      ),
      successes: counter
    }),
    unhealthy: Field.record({
      http_statuses: Field.withDefault(Field.array(status), [429, 500, 503]),
      ...failureCounters
    })
  })
})

const hashInputName: Readonly<Record<string, readonly [string, string | undefined]>> = {
  header: ["hash_on_header", "hash_fallback_header"],
  cookie: ["hash_on_cookie", undefined],
  query_arg: ["hash_on_query_arg", "hash_fallback_query_arg"],
  uri_capture: ["hash_on_uri_capture", "hash_fallback_uri_capture"]
}

export const upstreams = define({
  name: "upstreams",
  singular: "upstream",
  fields: {
    ...stamps,
    name: Field.hostname,
    algorithm: Field.withDefault(
      Field.oneOf(["round-robin", "consistent-hashing", "least-connections", "latency"]),
      "round-robin"
    ),
    hash_on: hashInput,
    hash_fallback: hashInput,
    hash_on_header: Field.nullable(Field.headerName),
    hash_fallback_header: Field.nullable(Field.headerName),
    hash_on_cookie: Field.nullable(Field.headerName),
    hash_on_cookie_path: Field.withDefault(Field.path, "/"),
    hash_on_query_arg: Field.nullable(Field.nonEmpty),
    hash_fallback_query_arg: Field.nullable(Field.nonEmpty),
    hash_on_uri_capture: Field.nullable(Field.nonEmpty),
    hash_fallback_uri_capture: Field.nullable(Field.nonEmpty),
    slots: Field.withDefault(Field.integer(10, 65_536), 10_000),
    host_header: Field.nullable(Field.hostPort),
    client_certificate: Field.nullable(Field.reference),
    use_srv_name: Field.withDefault(Field.boolean, false),
    healthchecks
  },
  endpointKey: "name",
  references: [{ field: "client_certificate", to: "certificates", onDelete: "restrict" }],
  check: (row) => {
    const fields: Row = row
    const nameFor = (mode: string, at: 0 | 1): ReadonlyArray<Fault> => {
      const field = hashInputName[mode]?.[at]
      return field !== undefined && fields[field] === null
        ? [fault(field, `required because of ${at === 0 ? "hash_on" : "hash_fallback"}: ${mode}`)]
        : []
    }
    const needsNoFallback = row.hash_on === "none" || row.hash_on === "cookie"
    return [
      ...nameFor(row.hash_on, 0),
      ...nameFor(row.hash_fallback, 1),
      ...(needsNoFallback && row.hash_fallback !== "none"
        ? [fault("hash_fallback", `expected none with hash_on: ${row.hash_on}`, row.hash_fallback)]
        : []),
      ...(["consumer", "ip", "path"].includes(row.hash_on) && row.hash_fallback === row.hash_on
        ? [fault("hash_fallback", "expected something other than hash_on", row.hash_fallback)]
        : [])
    ]
  }
})

const targetPortDefault = 8000

export const targets = define({
  name: "targets",
  singular: "target",
  fields: {
    ...stamps,
    upstream: Field.reference,
    target: Field.hostPort,
    weight: Field.withDefault(Field.integer(0, 65_535), 100)
  },
  endpointKey: "target",
  unique: [["upstream", "target"]],
  references: [{ field: "upstream", to: "upstreams", onDelete: "cascade" }],
  cacheKey: ["upstream", "target"],
  // Written without a port, a target means port 8000; the stored form always names it.
  expand: (row) => {
    const parts = typeof row.target === "string" ? Field.splitHostPort(row.target) : undefined
    if (parts === undefined) return row
    const host = parts.host.includes(":") ? `[${parts.host}]` : parts.host
    return { ...row, target: `${host}:${parts.port ?? targetPortDefault}` }
  }
})

export const consumers = define({
  name: "consumers",
  singular: "consumer",
  fields: { ...stamps, username: Field.nullable(Field.nonEmpty), custom_id: Field.nullable(Field.nonEmpty) },
  endpointKey: "username",
  unique: [["username"], ["custom_id"]],
  check: (row) =>
    row.username === null && row.custom_id === null
      ? [{ path: [], message: "expected at least one of username, custom_id" }]
      : []
})

// --- plugins and credentials ---

/**
 * The config is the plugin's own to judge, by its schema (`plugin/PluginCatalogue.ts`); here it is any value, and none
 * that a message may show.
 */
export const plugins = define({
  name: "plugins",
  singular: "plugin",
  fields: {
    ...stamps,
    name: Field.nonEmpty,
    instance_name: name,
    service: Field.nullable(Field.reference),
    route: Field.nullable(Field.reference),
    consumer: Field.nullable(Field.reference),
    config: Field.sensitive(Field.nullable(Field.anything)),
    protocols: Field.withDefault(Field.set(Field.pluginProtocol, 1), ["grpc", "grpcs", "http", "https"]),
    enabled: Field.withDefault(Field.boolean, true)
  },
  endpointKey: "instance_name",
  unique: [["instance_name"], ["name", "route", "service", "consumer"]],
  references: [
    { field: "service", to: "services", onDelete: "cascade" },
    { field: "route", to: "routes", onDelete: "cascade" },
    { field: "consumer", to: "consumers", onDelete: "cascade" }
  ],
  cacheKey: ["name", "route", "service", "consumer"]
})

/** A credential without a key is one that nobody can use: only a control plane makes keys up (`config-model.md` §1.2). */
export const keyauthCredentials = define({
  name: "keyauth_credentials",
  singular: "keyauth_credential",
  fields: {
    id: stamps.id,
    created_at: stamps.created_at,
    tags: stamps.tags,
    ws_id: stamps.ws_id,
    consumer: Field.reference,
    key: Field.sensitive(Field.nullable(Field.nonEmpty)),
    /** See `Ttl.ts`. */
    ttl: Field.nullable(Field.integer(0, Number.MAX_SAFE_INTEGER))
  },
  endpointKey: "key",
  references: [{ field: "consumer", to: "consumers", onDelete: "cascade" }],
  cacheKey: [],
  generated: ["key"],
  adminNames: { nested: "key-auth", top: "key-auths" }
})

export const parameters = define({
  name: "parameters",
  singular: "parameter",
  fields: { key: Field.nonEmpty, value: Field.string, created_at: stamps.created_at },
  primaryKey: "key"
})

/**
 * The whole of a `license.json` as a text (`resilience.md` §6.1). A wrong one stops no configuration: whoever judges
 * licences tells of it, and goes by what stood before.
 */
export const licenses = define({
  name: "licenses",
  singular: "license",
  fields: {
    id: stamps.id,
    payload: Field.secret,
    created_at: stamps.created_at,
    updated_at: stamps.updated_at
  },
  isTolerated: true
})

export type Workspace = typeof workspaces.schema.Type
export type Certificate = typeof certificates.schema.Type
export type CaCertificate = typeof caCertificates.schema.Type
export type Service = typeof services.schema.Type
export type Route = typeof routes.schema.Type
export type Sni = typeof snis.schema.Type
export type Upstream = typeof upstreams.schema.Type
export type Target = typeof targets.schema.Type
export type Consumer = typeof consumers.schema.Type
/** Its config is decoded by the plugin's schema: defaults are filled. */
export type PluginRow = Omit<typeof plugins.schema.Type, "config"> & { readonly config: Row }
export type KeyauthCredential = typeof keyauthCredentials.schema.Type
export type Parameter = typeof parameters.schema.Type
export type LicenseRow = typeof licenses.schema.Type

export const entities: ReadonlyArray<Entity> = [
  workspaces,
  certificates,
  caCertificates,
  services,
  routes,
  snis,
  upstreams,
  targets,
  consumers,
  plugins,
  keyauthCredentials,
  parameters,
  licenses
] as unknown as ReadonlyArray<Entity>

export const entityByName: ReadonlyMap<string, Entity> = new Map(entities.map((entity) => [entity.name, entity]))

/**
 * Kong's entities that Holdfast doesn't serve: kept in the cache, ignored, warned about once. Names that stand neither
 * here nor above are unknown to everybody and reject the configuration.
 */
export const knownButNotServed: ReadonlySet<string> = new Set([
  "vaults",
  "key_sets",
  "keys",
  "filter_chains",
  "basicauth_credentials",
  "hmacauth_credentials",
  "jwt_secrets",
  "oauth2_credentials",
  "oauth2_tokens",
  "oauth2_authorization_codes",
  "acls",
  "acme_storage",
  "session_metadatas",
  "sessions",
  "consumer_groups",
  "consumer_group_consumers",
  "consumer_group_plugins",
  "partials",
  "custom_plugins",
  "keyrings",
  "keyring_meta",
  "rbac_users",
  "rbac_roles",
  "rbac_role_entities",
  "rbac_role_endpoints",
  "degraphql_routes",
  "graphql_ratelimiting_advanced_cost_decoration",
  "event_hooks",
  "document_objects",
  "files",
  "developers",
  "applications",
  "application_instances",
  "login_attempts",
  "header_cert_auth_credentials",
  "mtls_auth_credentials",
  "konnect_applications"
])
