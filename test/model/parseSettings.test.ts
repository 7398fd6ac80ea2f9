import { assert, describe, it } from "@effect/vitest"
import { formatFault } from "../../src/model/Fault.ts"
import { effectiveSettings, parseSettings } from "../../src/model/parseSettings.ts"
import { type SettingName, settingTable } from "../../src/model/SettingTable.ts"
import { keyLike } from "../support/pems.ts"

const parse = (env: Record<string, string>, text?: string) =>
  parseSettings({ env, ...(text === undefined ? {} : { file: { name: "node.conf", text } }) })

const lines = (env: Record<string, string>, text?: string) => parse(env, text).faults.map(formatFault)

describe("parseSettings", () => {
  it("starts from the presets, all of which can be read", () => {
    const { values, faults } = parse({})
    assert.deepStrictEqual(faults, [])
    assert.strictEqual(values.role, "data_plane")
    assert.strictEqual(values.prefix, "/usr/local/kong")
    assert.deepStrictEqual(values.cluster_listen, [{ host: "0.0.0.0", port: 8005, isTls: false, isHttp2: false }])
    assert.strictEqual(values.cluster_control_plane, undefined)
  })

  it("lets the file override a preset, KONG_ the file, HOLDFAST_ KONG_, and the command all of them", () => {
    const file = "prefix = /file\nlog_level = warn\ndrain_timeout = 1\nkong_version = 3.1.0"
    const env = { KONG_LOG_LEVEL: "error", KONG_DRAIN_TIMEOUT: "2", KONG_KONG_VERSION: "3.2.0" }
    const more = { HOLDFAST_DRAIN_TIMEOUT: "3", HOLDFAST_KONG_VERSION: "3.3.0" }
    const { values } = parseSettings({
      file: { name: "f", text: file },
      env: { ...env, ...more },
      command: { kong_version: "3.4.0" }
    })
    assert.deepInclude(values, { prefix: "/file", log_level: "error", drain_timeout: 3, kong_version: "3.4.0" })
  })

  it("takes an empty value for none", () => {
    const { values } = parse({ HOLDFAST_PREFIX: "", KONG_PREFIX: "/kong" }, "log_level =\n")
    assert.deepInclude(values, { prefix: "/kong", log_level: "notice" })
  })

  it("reads every type", () => {
    const { values, faults } = parse({
      KONG_ROLE: "DATA_PLANE",
      KONG_NODE_ID: "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
      KONG_CLUSTER_CONTROL_PLANE: "cp.example.com:8005",
      KONG_CLUSTER_CERT: "/c.crt",
      KONG_CLUSTER_CERT_KEY: "/c.key",
      KONG_PROXY_LISTEN: "[::1]:9443 ssl http2 backlog=5, 127.0.0.1:0",
      KONG_STATUS_LISTEN: "off",
      KONG_CLUSTER_DP_LABELS: "region:eu, tier:a:b",
      KONG_TRUSTED_IPS: "10.0.0.0/8,::1",
      KONG_DB_UPDATE_FREQUENCY: "0.5",
      KONG_UPSTREAM_KEEPALIVE_POOL_SIZE: "0"
    })
    assert.deepStrictEqual(faults, [])
    assert.deepInclude(values, {
      role: "data_plane",
      node_id: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      cluster_control_plane: { host: "cp.example.com", port: 8005 },
      proxy_listen: [
        { host: "::1", port: 9443, isTls: true, isHttp2: true },
        { host: "127.0.0.1", port: 0, isTls: false, isHttp2: false }
      ],
      status_listen: [],
      cluster_dp_labels: { region: "eu", tier: "a:b" },
      trusted_ips: ["10.0.0.0/8", "::1"],
      db_update_frequency: 0.5,
      upstream_keepalive_pool_size: 0
    })
  })

  it("reports all bad settings together: the name, the value, what was expected, and who said so", () => {
    assert.deepStrictEqual(
      lines({ KONG_DRAIN_TIMEOUT: "-1", HOLDFAST_NODE_ID: "7" }, "\nlog_level = loud\nnonsense\n"),
      [
        "node.conf line 3: expected name = value, or a comment",
        'log_level: expected one of debug, info, notice, warn, error, crit (node.conf line 2), got "loud"',
        'drain_timeout: expected a number between 0 and 86400 (KONG_DRAIN_TIMEOUT), got "-1"',
        'node_id: expected a UUID (HOLDFAST_NODE_ID), got "7"'
      ]
    )
  })

  it("reports what settings owe each other together with what can't be read, except of what can't be read", () => {
    const named = (env: Record<string, string>) => lines(env).map((line) => line.split(":")[0])
    assert.deepStrictEqual(
      named({ KONG_ROLE: "control_plane", KONG_CLUSTER_MTLS: "pki", KONG_DRAIN_TIMEOUT: "long" }),
      ["drain_timeout", "cluster_cert", "cluster_cert_key", "cluster_ca_cert"]
    )
    const controlPlane = { KONG_CLUSTER_CERT: "c", KONG_CLUSTER_CERT_KEY: "k", KONG_ROLE: "control_plane" }
    assert.deepStrictEqual(named({ ...controlPlane, KONG_CLUSTER_MTLS: "some" }), ["cluster_mtls"])
    assert.deepStrictEqual(named({ ...controlPlane, KONG_ADMIN_LISTEN: "everywhere" }), ["admin_listen"])
    assert.deepStrictEqual(named({ KONG_ROLE: "control" }), ["role"])
  })

  it("refuses each setting's nonsense, naming it", () => {
    const nonsense: ReadonlyArray<readonly [SettingName, string]> = [
      ["role", "traditional"],
      ["proxy_listen", "here"],
      ["cluster_control_plane", "host-without-port"],
      ["cluster_max_payload", "1"],
      ["cluster_dp_labels", "kong_x:1"],
      ["trusted_ips", "10.0.0.0/33"],
      ["kong_version", "three"]
    ]
    for (const [name, value] of nonsense) {
      const [line = ""] = lines({ [`KONG_${name.toUpperCase()}`]: value })
      assert.match(line, new RegExp(`^${name}: expected .*, got "${value}"$`))
    }
  })

  it("says what settings owe each other", () => {
    const named = (env: Record<string, string>) => lines(env).map((line) => line.split(":")[0])
    assert.deepStrictEqual(named({ KONG_ROLE: "control_plane" }), ["cluster_cert", "cluster_cert_key"])
    assert.deepStrictEqual(named({ KONG_CLUSTER_CONTROL_PLANE: "cp:8005" }), ["cluster_cert", "cluster_cert_key"])
    const pair = { KONG_CLUSTER_CERT: "c", KONG_CLUSTER_CERT_KEY: "k" }
    const controlPlane = { ...pair, KONG_ROLE: "control_plane" }
    assert.deepStrictEqual(named({ ...controlPlane, KONG_ADMIN_LISTEN: "0.0.0.0:8001" }), ["admin_token"])
    assert.deepStrictEqual(named({ ...controlPlane, KONG_ADMIN_LISTEN: "0.0.0.0:8001", KONG_ADMIN_TOKEN: "t" }), [])
    assert.deepStrictEqual(named({ ...controlPlane, KONG_DATABASE: "off", KONG_CLUSTER_DP_LABELS: "a:b" }), [
      "database",
      "cluster_dp_labels"
    ])
    assert.deepStrictEqual(named({ KONG_DATABASE: "sqlite" }), ["database"])
    for (const mode of ["pki", "pki_check_cn"]) {
      assert.deepStrictEqual(named({ KONG_ROLE: "control_plane", KONG_CLUSTER_MTLS: mode }), [
        "cluster_cert",
        "cluster_cert_key",
        "cluster_ca_cert"
      ])
      const joined = { ...pair, KONG_CLUSTER_CONTROL_PLANE: "cp:8005", KONG_CLUSTER_MTLS: mode }
      assert.deepStrictEqual(named(joined), [])
      assert.deepStrictEqual(named({ ...joined, KONG_LUA_SSL_TRUSTED_CERTIFICATE: "," }), ["cluster_ca_cert"])
    }
    assert.deepStrictEqual(named({ KONG_SSL_CERT: "c" }), ["ssl_cert_key"])
  })

  it("lists names that mean nothing here, Kong's apart from its own", () => {
    const { unknownKong, unknownHoldfast } = parse(
      { KONG_PG_HOST: "db", KONG_NGINX_WORKER_PROCESSES: "1", HOLDFAST_PREFX: "/x", PATH: "/bin" },
      "pg_host = db\nnginx_user = nobody\n"
    )
    assert.deepStrictEqual(unknownKong, ["nginx_user", "pg_host", "nginx_worker_processes"])
    assert.deepStrictEqual(unknownHoldfast, ["prefx"])
  })

  it("never shows the line of a file that it can't read: it may hold a secret", () => {
    assert.notInclude(lines({}, "admin_token hunter2").join(), "hunter2")
  })
})

describe("effectiveSettings", () => {
  it("hides a key that stands in a certificate setting, as PEM or as base64 of it", () => {
    const combined = `-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n${keyLike}\nsecret`
    for (const text of [combined, Buffer.from(combined).toString("base64")]) {
      const { values } = parseSettings({ env: { KONG_CLUSTER_CERT: text, KONG_SSL_CERT: "/a/path.pem" } })
      assert.deepInclude(effectiveSettings(values), { cluster_cert: "******", ssl_cert: "/a/path.pem" })
    }
  })

  it("shows settings as a user would write them, and secrets as six asterisks", () => {
    const { values } = parse({
      KONG_ADMIN_TOKEN: "hunter2",
      KONG_CLUSTER_CERT_KEY: "hunter3",
      KONG_CLUSTER_CERT: "/c",
      KONG_CLUSTER_CONTROL_PLANE: "[::1]:8005",
      KONG_PROXY_LISTEN: "127.0.0.1:1 http2 ssl",
      KONG_CLUSTER_DP_LABELS: "a:b"
    })
    const shown = effectiveSettings(values)
    assert.notInclude(JSON.stringify(shown), "hunter")
    assert.deepInclude(shown, {
      admin_token: "******",
      cluster_cert_key: "******",
      cluster_control_plane: "[::1]:8005",
      drain_timeout: 10,
      proxy_listen: ["127.0.0.1:1 http2 ssl"],
      cluster_dp_labels: ["a:b"]
    })
    assert.notProperty(shown, "node_id")
  })

  it("treats every setting whose name says key, token or secret as one", () => {
    for (const [name, { isSecret }] of Object.entries(settingTable)) {
      if (/(?<!public_)key$|token|secret|password/.test(name)) assert.isTrue(isSecret, name)
    }
  })

  it("takes for the access log what is a path here, and nothing that only nginx knows", () => {
    for (const value of ["syslog:server=10.0.0.1", "memory:32m", "logs/"])
      assert.deepEqual(lines({ KONG_PROXY_ACCESS_LOG: value }), [
        `proxy_access_log: expected off, /dev/stdout, /dev/stderr, or the path of a file (KONG_PROXY_ACCESS_LOG), got ${JSON.stringify(value)}`
      ])
    assert.strictEqual(parse({ KONG_PROXY_ACCESS_LOG: "OFF" }).values.proxy_access_log, "off")
    assert.strictEqual(parse({ KONG_PROXY_ACCESS_LOG: "logs/a.log" }).values.proxy_access_log, "logs/a.log")
  })

  it("does not show a collector's URL that has a password in it", () => {
    assert.deepEqual(lines({ KONG_OPENTELEMETRY_METRICS_ENDPOINT: "http://ann:s3cret@collector:4318/v1/metrics" }), [
      "opentelemetry_metrics_endpoint: expected an http:// or https:// URL without user name and password, found an @ in it (KONG_OPENTELEMETRY_METRICS_ENDPOINT)"
    ])
  })
})
