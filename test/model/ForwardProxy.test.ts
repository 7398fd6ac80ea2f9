/** `proxy_server`: reference `hybrid-protocol-v1.md` §1.4, §13; a `#` in the password broke the original once. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { formatFault } from "../../src/model/Fault.ts"
import { readForwardProxy } from "../../src/model/ForwardProxy.ts"
import { effectiveSettings, parseSettings } from "../../src/model/parseSettings.ts"
import { cases } from "../support/cases.ts"

const read = (text: string) => {
  const found = readForwardProxy(text)
  if ("problem" in found) throw new Error(`${text}: ${found.problem}`)
  return found
}
const credentials = (text: string): string =>
  Buffer.from(read(text).authorization?.replace(/^Basic /, "") ?? "", "base64").toString("latin1")
const utf8 = (text: string): string => Buffer.from(text).toString("latin1")

describe("proxy_server (§1.4)", () => {
  it.each([
    ["http://proxy.example.com:3128", { isTls: false, host: "proxy.example.com", port: 3128 }],
    ["https://proxy:443/", { isTls: true, host: "proxy", port: 443 }],
    ["HTTP://10.0.0.1:8080", { isTls: false, host: "10.0.0.1", port: 8080 }],
    ["http://[2001:db8::1]:3128", { isTls: false, host: "2001:db8::1", port: 3128 }]
  ])("%s is an address without credentials", (text, expected) => {
    assert.deepStrictEqual(readForwardProxy(text), { ...expected, authorization: undefined })
  })

  it.each([
    ["http://user:secret@h:1", "user:secret"],
    ["http://user@h:1", "user:"],
    ["http://:secret@h:1", ":secret"],
    ["http://us%65r:p%23%40%3A%2F%25%20x@h:1", "user:p#@:/% x"],
    ["http://user:p#a@b:c/d?e%zf 100%@h:1", "user:p#a@b:c/d?e%zf 100%"],
    ["http://user:a+b@h:1", "user:a+b"],
    ["http://müller:grün%C3%9F@h:1", utf8("müller:grünß")],
    ["http://user:%ff%00@h:1", "user:\xff\0"]
  ])("%s says who we are", (text, expected) => {
    assert.strictEqual(credentials(text), expected)
    assert.deepInclude(readForwardProxy(text), { host: "h", port: 1 })
  })

  it.each([
    ["proxy:3128", "another scheme, or none"],
    ["socks5://proxy:1080", "another scheme, or none"],
    ["http:/proxy:3128", "another scheme, or none"],
    ["http://proxy", "no port"],
    ["http://proxy:", "no port"],
    ["http://proxy:http", "no port"],
    ["http://proxy:65536", "no port"],
    ["http://proxy:0", "port 0"],
    ["http://proxy:3128/path", "no port"],
    ["http://proxy:3128?x=y", "no port"],
    ["http://proxy:3128#x", "no port"],
    ["http://:3128", "no port"],
    ["http://2001:db8::1:3128", "no port"],
    ["http://pro xy:3128", "no host"],
    ["http://[proxy]:3128", "no host"],
    ["http://a%3Ab:c@proxy:3128", "a user name with a colon"]
  ])("%s is refused for %s", (text, expected) => {
    const found = readForwardProxy(text)
    assert.include("problem" in found ? found.problem : "taken", expected)
  })

  it("carries every user name and password, as they are and percent-encoded", { timeout: 600_000 }, () => {
    const word = fc.string({ unit: "binary" }).map((text) => text.toWellFormed())
    const special = fc.string({ unit: fc.constantFrom(..."#@:%/?&+ \\\"'äß漢😀\t"), minLength: 1 })
    const user = fc.oneof(word, special).map((text) => text.replaceAll(":", ""))
    const encoded = (text: string) => encodeURIComponent(text)
    // What looks like an escape is one: that much has to be encoded by whoever writes it.
    const raw = (text: string) => text.replace(/%(?=[0-9a-f]{2})/gi, "%25")
    fc.assert(
      fc.property(user, fc.oneof(word, special), (name, password) => {
        for (const write of [encoded, raw])
          assert.strictEqual(credentials(`http://${write(name)}:${write(password)}@h:1`), utf8(`${name}:${password}`))
      }),
      cases(500)
    )
  })
})

describe("settings of a forward proxy (§13)", () => {
  const on = { KONG_CLUSTER_USE_PROXY: "on" }
  const faults = (env: Record<string, string>) => parseSettings({ env }).faults.map(formatFault)
  const secrets = /s3cr3t|us3r/

  it("need each other", () => {
    assert.deepStrictEqual(faults(on), ["proxy_server: expected a forward proxy, for cluster_use_proxy is on"])
    assert.deepStrictEqual(
      faults({ ...on, KONG_ROLE: "control_plane", KONG_CLUSTER_CERT: "c", KONG_CLUSTER_CERT_KEY: "k" }),
      []
    )
    const https = { ...on, KONG_PROXY_SERVER: "https://h:1" }
    assert.deepStrictEqual(faults(https), [])
    const untrusting = { ...https, KONG_LUA_SSL_TRUSTED_CERTIFICATE: "," }
    assert.deepStrictEqual(faults(untrusting), [
      "lua_ssl_trusted_certificate: expected an authority by which to know proxy_server, or proxy_server_ssl_verify=off"
    ])
    assert.deepStrictEqual(faults({ ...untrusting, KONG_PROXY_SERVER_SSL_VERIFY: "off" }), [])
  })

  it("are refused together with what else is wrong, once each, and the password is never shown", () => {
    const found = faults({ ...on, KONG_PROXY_SERVER: "ftp://us3r:s3cr3t@h:1", KONG_PROXY_SERVER_SSL_VERIFY: "maybe" })
    assert.deepStrictEqual(found, [
      "proxy_server: expected http://[user:password@]host:port, or the same with https://, found another scheme, or none (KONG_PROXY_SERVER)",
      'proxy_server_ssl_verify: expected on or off (KONG_PROXY_SERVER_SSL_VERIFY), got "maybe"'
    ])
  })

  it("show nothing of a wrong one, whatever is wrong with it, and six asterisks of a right one", () => {
    const wrongs = [
      "us3r:s3cr3t@h:1",
      "http://us3r:s3cr3t",
      "http://us3r:s3cr3t@",
      "http://h:1/us3r:s3cr3t",
      "http://us3r%3A:s3cr3t@h:1"
    ]
    for (const text of wrongs) {
      const found = faults({ ...on, KONG_PROXY_SERVER: text })
      assert.strictEqual(found.length, 1, text)
      assert.notMatch(found.join(), secrets)
    }
    const { values } = parseSettings({ env: { ...on, KONG_PROXY_SERVER: "http://us3r:s3cr3t@h:1" } })
    const shown = effectiveSettings(values)
    assert.strictEqual(shown.proxy_server, "******")
    assert.notMatch(JSON.stringify(shown), secrets)
    assert.notInclude(JSON.stringify(shown), Buffer.from("us3r:s3cr3t").toString("base64"))
  })

  it("from a file may hold a # when it is quoted, escaped or encoded", () => {
    for (const line of ['"http://u:p#w@h:1"', "http://u:p\\#w@h:1", "http://u:p%23w@h:1"]) {
      const { values, faults } = parseSettings({ env: {}, file: { name: "f", text: `proxy_server = ${line}\n` } })
      assert.deepStrictEqual(faults, [])
      assert.strictEqual(values.proxy_server?.authorization, `Basic ${Buffer.from("u:p#w").toString("base64")}`)
    }
  })
})
