import { assert, describe, it } from "@effect/vitest"
import { formatFault } from "../../src/model/Fault.ts"
import { parseSettings } from "../../src/model/parseSettings.ts"
import { settingTable } from "../../src/model/SettingTable.ts"
import { settingGroups } from "../../src/model/settingGroups.ts"
import { settingNotices } from "../../src/model/settingNotices.ts"
import { konnectEnvironment } from "../support/konnect.ts"

describe("the environment that Konnect hands out (hybrid-protocol-v1.md §13)", () => {
  it("is understood to the last name, with one notice: the flavour of the router", () => {
    const { values, faults, unknownKong } = parseSettings({ env: konnectEnvironment({ cert: "c", key: "k" }) })
    assert.deepStrictEqual(faults, [])
    assert.deepStrictEqual(unknownKong, [])
    assert.deepInclude(values, { cluster_mtls: "pki", konnect_mode: true, lua_ssl_trusted_certificate: ["system"] })
    const notices = settingNotices(values).map(formatFault)
    assert.strictEqual(notices.length, 1)
    assert.match(notices[0] ?? "", /^router_flavor: traditional_compatible is served.*got "expressions"$/)
  })
})

describe("notices", () => {
  const named = (env: Record<string, string>) =>
    settingNotices(parseSettings({ env }).values).map(({ path }) => path[0])

  it("are due where a setting is not served, and nowhere else", () => {
    assert.deepStrictEqual(named({}), [])
    assert.deepStrictEqual(named({ KONG_CLUSTER_USE_PROXY: "on", KONG_PROXY_SERVER: "http://proxy:3128" }), [])
    const shared = {
      KONG_ROLE: "control_plane",
      KONG_CLUSTER_CERT: "c",
      KONG_CLUSTER_CERT_KEY: "k",
      KONG_CLUSTER_OCSP: "on"
    }
    assert.deepStrictEqual(named(shared), ["cluster_ocsp"])
    assert.deepStrictEqual(named({ ...shared, KONG_CLUSTER_MTLS: "pki", KONG_CLUSTER_CA_CERT: "a" }), [])
  })
})

describe("notices of a control plane", () => {
  const noticesOf = (env: Record<string, string>) => settingNotices(parseSettings({ env }).values).map(formatFault)
  const ofDataPlane = {
    KONG_LICENSE_DATA: "secret",
    KONG_LICENSE_PATH: "/l.json",
    HOLDFAST_LICENSE_ON_EXPIRY: "warn",
    HOLDFAST_LICENSE_GRACE_DAYS: "3",
    HOLDFAST_LICENSE_REQUIRE_SIGNATURE: "on",
    HOLDFAST_LICENSE_PUBLIC_KEY: "secret",
    HOLDFAST_CONFIG_CACHE_GENERATIONS: "0",
    HOLDFAST_CONFIG_CACHE_ENCRYPTION: "environment",
    HOLDFAST_CONFIG_CACHE_KEY_FILE: "/keys",
    HOLDFAST_CONFIG_CACHE_KEY: "01".repeat(32),
    KONG_CLUSTER_CERT_KEY_PREVIOUS: "secret",
    KONG_CLUSTER_USE_PROXY: "on",
    KONG_CLUSTER_FALLBACK_CONFIG_IMPORT: "on",
    HOLDFAST_CONFIG_PEERS: "a:8006",
    HOLDFAST_CONFIG_PEER_LISTEN: "127.0.0.1:8006",
    HOLDFAST_CONFIG_TRUST_KEYS: "/keys",
    HOLDFAST_CONFIG_DECRYPTION_KEYS: "secret"
  }

  it("name every setting that only a data plane goes by, once it is another than the default, and show no value", () => {
    const found = noticesOf({ KONG_ROLE: "control_plane", ...ofDataPlane })
    const message = "only a data plane goes by it, and this is a control plane"
    assert.sameMembers(
      found,
      Object.keys(ofDataPlane).map((name) => `${name.replace(/^[A-Z]+_/, "").toLowerCase()}: ${message}`)
    )
    assert.deepStrictEqual(noticesOf({ KONG_ROLE: "control_plane", HOLDFAST_LICENSE_ON_EXPIRY: "stop" }), [])
    assert.deepStrictEqual(noticesOf({ KONG_CLUSTER_CONTROL_PLANE: "cp:8005", ...ofDataPlane }), [])
  })
})

describe("groups", () => {
  it("hold every setting once, in the order of the table", () => {
    const grouped = settingGroups.flatMap(({ settings }) => settings.map(([name]) => name))
    assert.deepStrictEqual(grouped as ReadonlyArray<string>, Object.keys(settingTable))
    for (const { title, settings } of settingGroups) assert.isAbove(settings.length, 0, title)
  })
})
