/** The settings of the proxy: reference `proxy-behaviour.md` §1 to §3, §5, `router.md` §7. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { parseSettings } from "../../../src/model/parseSettings.ts"
import type { SettingName, SettingValues } from "../../../src/model/SettingTable.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { configOf, get, id, loopback, oneRoute, sendRaw, startProxy, startUpstream } from "./support.ts"

/** Settings as a user would write them. */
const given = (command: Partial<Record<SettingName, string>>): Partial<SettingValues> => {
  const { values, faults } = parseSettings({ env: {}, command })
  assert.deepStrictEqual(faults, [])
  return Object.fromEntries(Object.keys(command).map((name) => [name, values[name as SettingName]]))
}

const faultsOf = (command: Partial<Record<SettingName, string>>) =>
  parseSettings({ env: {}, command }).faults.map(({ path, message }) => `${path}: ${message}`)

const mirror = startUpstream((request, response) => {
  response.setHeader("X-Kong-Request-Id", "upstream's")
  response.setHeader("X-Kong-Upstream-Status", "upstream's")
  response.setHeader("Via", "1.1 inner")
  response.statusCode = 203
  response.end(JSON.stringify(request.headers))
})

const closed = Effect.scoped(startUpstream(() => undefined))

const ours = (headers: object): ReadonlyArray<string> =>
  Object.keys(headers).filter((name) => /^(server|via|x-kong-.*)$/.test(name))

describe("§2 headers", () => {
  it.live("§2 by default: server tokens, latencies and the request id, each on its kind of answer", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port, serve } = yield* startProxy(oneRoute(upstream.port))
      const proxied = (yield* get(port)).headers
      assert.match(String(proxied["x-kong-request-id"]), /^[0-9a-f]{32}$/)
      assert.strictEqual(proxied.server, "kong/3.9.0")
      assert.strictEqual(proxied.via, "1.1 inner, 1.1 kong/3.9.0")
      assert.match(String(proxied["x-kong-upstream-latency"]), /^\d+$/)
      assert.match(String(proxied["x-kong-proxy-latency"]), /^\d+$/)
      assert.isUndefined(proxied["x-kong-response-latency"])
      assert.strictEqual(proxied["x-kong-upstream-status"], "upstream's")

      serve(oneRoute((yield* closed).port, { retries: 0 }))
      const failed = ["server", "via", "x-kong-upstream-latency", "x-kong-proxy-latency", "x-kong-request-id"]
      assert.sameMembers([...ours((yield* get(port)).headers)], failed)

      serve(configOf({}))
      const own = ["server", "x-kong-response-latency", "x-kong-request-id"]
      assert.sameMembers([...ours((yield* get(port)).headers)], own)
    })
  )

  it.live("§2 off: nothing of ours on any answer; what the upstream says of itself stays", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port, serve } = yield* startProxy(oneRoute(upstream.port), { settings: given({ headers: "off" }) })
      const { headers } = yield* get(port)
      assert.sameMembers([...ours(headers)], ["via", "x-kong-request-id", "x-kong-upstream-status"])
      assert.strictEqual(headers.via, "1.1 inner")
      assert.strictEqual(headers["x-kong-request-id"], "upstream's")
      serve(oneRoute((yield* closed).port, { retries: 0 }))
      const failed = yield* get(port)
      assert.deepStrictEqual(ours(failed.headers), [])
      assert.match(failed.body, /request_id: [0-9a-f]{32}/)
      assert.deepStrictEqual(ours((yield* get(port, "/", { Host: "x" })).headers), [])
      assert.notMatch(yield* sendRaw(port, "nonsense\r\n\r\n"), /Server|X-Kong/)
    })
  )

  it.live("§2 single names, the upstream's status among them", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const settings = given({ headers: "x-kong-upstream-status, Via, X-Kong-Admin-Latency" })
      const { port, serve } = yield* startProxy(oneRoute(upstream.port), { settings })
      const { headers } = yield* get(port)
      assert.strictEqual(headers["x-kong-upstream-status"], "203")
      assert.strictEqual(headers.via, "1.1 inner, 1.1 kong/3.9.0")
      assert.isUndefined(headers.server)
      assert.isUndefined(headers["x-kong-proxy-latency"])
      serve(oneRoute((yield* closed).port, { retries: 0 }))
      assert.strictEqual((yield* get(port)).headers["x-kong-upstream-status"], "502")
    })
  )

  it("§2 names that nobody knows are refused, and off stands alone", () => {
    assert.match(faultsOf({ headers: "server_tokens, X-Mine" }).join(), /^headers: expected off, or a comma-separated/)
    assert.lengthOf(faultsOf({ headers: "off, Via" }), 1)
  })
})

describe("§1 requests", () => {
  it.live("§1 headers_upstream=off sends no request id, and leaves the client's", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const settings = given({ headers_upstream: "off" })
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings })
      assert.isUndefined(JSON.parse((yield* get(port)).body)["x-kong-request-id"])
      const claimed = yield* get(port, "/", { "X-Kong-Request-Id": "mine" })
      assert.strictEqual(JSON.parse(claimed.body)["x-kong-request-id"], "mine")
    })
  )

  const realIps: ReadonlyArray<
    readonly [string, Partial<Record<SettingName, string>>, Record<string, string>, string]
  > = [
    ["X-Real-IP by default", {}, { "X-Real-IP": "9.9.9.9", "X-Forwarded-For": "8.8.8.8" }, "9.9.9.9"],
    ["what is no address", {}, { "X-Real-IP": "unknown" }, "127.0.0.1"],
    ["an address with its port", {}, { "X-Real-IP": "[2001:db8::1]:443" }, "2001:db8::1"],
    [
      "X-Forwarded-For: the last",
      { real_ip_header: "X-Forwarded-For" },
      { "X-Forwarded-For": "9.9.9.9, 8.8.8.8" },
      "8.8.8.8"
    ],
    [
      "recursive: the last that is not trusted",
      { real_ip_header: "X-Forwarded-For", real_ip_recursive: "on" },
      { "X-Forwarded-For": "1.1.1.1, 9.9.9.9, 10.0.0.1" },
      "9.9.9.9"
    ],
    [
      "recursive: the first when all are trusted",
      { real_ip_header: "X-Forwarded-For", real_ip_recursive: "on" },
      { "X-Forwarded-For": "10.0.0.2, 10.0.0.1" },
      "10.0.0.2"
    ],
    [
      "recursive: not beyond what is no address",
      { real_ip_header: "X-Forwarded-For", real_ip_recursive: "on" },
      { "X-Forwarded-For": "9.9.9.9, junk, 10.0.0.1" },
      "10.0.0.1"
    ],
    ["any header that is named", { real_ip_header: "CF-Connecting-IP" }, { "CF-Connecting-IP": "9.9.9.9" }, "9.9.9.9"]
  ]

  it.live.each(realIps)("§1 real-ip: %s", ([, wanted, headers, address]) =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const settings = given({ trusted_ips: "127.0.0.0/8, 10.0.0.0/8", ...wanted })
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings })
      const seen = JSON.parse((yield* get(port, "/", headers)).body)
      assert.strictEqual(seen["x-real-ip"], address)
      const claimed = headers["X-Forwarded-For"]
      assert.strictEqual(seen["x-forwarded-for"], claimed === undefined ? address : `${claimed}, 127.0.0.1`)
    })
  )

  it.live("§1 real-ip: a stranger's word counts for nothing, whatever the header", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const settings = given({ trusted_ips: "10.0.0.0/8", real_ip_header: "X-Forwarded-For", real_ip_recursive: "on" })
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings })
      const seen = JSON.parse((yield* get(port, "/", { "X-Forwarded-For": "9.9.9.9" })).body)
      assert.strictEqual(seen["x-real-ip"], "127.0.0.1")
    })
  )

  it("§1 proxy_protocol is refused rather than ignored", () => {
    assert.match(faultsOf({ real_ip_header: "proxy_protocol" }).join(), /proxy_protocol is not served/)
    assert.match(faultsOf({ proxy_listen: "127.0.0.1:8000 proxy_protocol" }).join(), /proxy_protocol is not served/)
  })

  it.live("§1 port_maps: X-Forwarded-Port is the port outside", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* closed
      const settings = { ...given({ port_maps: `80:${port}, 443:8443` }), proxy_listen: [{ ...loopback, port }] }
      yield* startProxy(oneRoute(upstream.port), { settings })
      assert.strictEqual(JSON.parse((yield* get(port)).body)["x-forwarded-port"], "80")
      assert.lengthOf(faultsOf({ port_maps: "80" }), 1)
      assert.lengthOf(faultsOf({ port_maps: "0:80" }), 1)
    })
  )
})

describe("§3.1 error templates", () => {
  const templates = Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const write = (name: string, text: string) =>
      Effect.promise(() => writeFile(join(folder, name), text)).pipe(Effect.as(join(folder, name)))
    return { folder, write }
  })

  it.live("§3.1 replace the bodies of four formats; gRPC has none", () =>
    Effect.gen(function* () {
      const { write } = yield* templates
      const settings = given({
        error_template_html: yield* write("html", "<b style='width: 5%'>%s</b> <i>%s</i>"),
        error_template_json: yield* write("json", '{"m":"%s","i":"%s","p":"100%%"}'),
        error_template_xml: yield* write("xml", "<m>%s</m>"),
        error_template_plain: yield* write("plain", "nothing to say")
      })
      const { port } = yield* startProxy(undefined, { settings })
      const as = (Accept: string) => get(port, "/", { Accept })
      const message = "no Route matched with those values"
      const html = yield* as("text/html")
      assert.strictEqual(html.body, `<b style='width: 5%'>${message}</b> <i>${html.headers["x-kong-request-id"]}</i>`)
      assert.strictEqual(html.headers["content-type"], "text/html; charset=utf-8")
      const json = yield* as("application/json")
      const told = { m: message, i: json.headers["x-kong-request-id"], p: "100%" }
      assert.deepStrictEqual(JSON.parse(json.body), told)
      assert.strictEqual((yield* as("application/xml")).body, `<m>${message}</m>`)
      assert.strictEqual((yield* as("text/plain")).body, "nothing to say")
      assert.strictEqual((yield* as("application/grpc")).body, "")
      assert.match(yield* sendRaw(port, "nonsense\r\n\r\n"), /\r\n\r\nnothing to say$/)
    })
  )

  it.live("§3.1 what a template is filled with is escaped as its format wants it", () =>
    Effect.gen(function* () {
      const { write } = yield* templates
      const settings = given({
        error_template_html: yield* write("html", "%s"),
        error_template_json: yield* write("json", '{"m":"%s"}')
      })
      const config = oneRoute(1, { host: `nowhere.invalid` })
      const { port } = yield* startProxy(config, { settings })
      // With or without a resolver at hand, the message is one of two.
      const message = /^(name resolution failed|failed the initial .* for (&#39;|')nowhere.invalid(&#39;|') .*)$/
      assert.match((yield* get(port, "/", { Accept: "text/html" })).body, message)
      assert.match(JSON.parse((yield* get(port, "/", { Accept: "application/json" })).body).m, message)
    })
  )

  it.live("§3.1 all that is wrong is told at once, client_ssl included, and nothing starts", () =>
    Effect.gen(function* () {
      const { write, folder } = yield* templates
      const settings = given({
        error_template_html: join(folder, "missing"),
        error_template_json: yield* write("json", "%s %s %s"),
        client_ssl: "on",
        client_ssl_cert: join(folder, "no.crt"),
        client_ssl_cert_key: join(folder, "no.key"),
        lua_ssl_trusted_certificate: join(folder, "no.pem")
      })
      const error = yield* Effect.flip(Effect.scoped(startProxy(undefined, { settings })))
      assert.strictEqual(error.exitCode, 2)
      const paths = error.faults.map(({ path }) => path.join())
      assert.deepStrictEqual(paths, [
        "error_template_html",
        "error_template_json",
        "client_ssl_cert",
        "client_ssl_cert_key",
        "lua_ssl_trusted_certificate"
      ])
      assert.include(error.message, "ENOENT")
      assert.include(error.message, "at most two %s")
    })
  )

  it("client_ssl=on wants both halves of its pair", () => {
    const faults = faultsOf({ client_ssl: "on" })
    assert.lengthOf(faults, 2)
    assert.match(faults.join(), /client_ssl_cert: .*client_ssl_cert_key: /)
  })
})

describe("router.md §7 Kong-Debug", () => {
  const settings = given({ allow_debug_header: "on" })
  const debug = { "Kong-Debug": "1" }

  it.live("§7 names route and service on answers of upstreams and on our own", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port, serve } = yield* startProxy(oneRoute(upstream.port, {}, { name: "räucher" }), { settings })
      const { headers } = yield* get(port, "/", debug)
      assert.strictEqual(headers["kong-route-id"], id(2))
      assert.strictEqual(headers["kong-route-name"], "r%C3%A4ucher")
      assert.strictEqual(headers["kong-service-id"], id(1))
      assert.strictEqual(headers["kong-service-name"], "s")
      assert.isUndefined((yield* get(port)).headers["kong-route-id"])

      serve(configOf({ routes: [{ id: id(2), paths: ["/"] }] }))
      const refused = yield* get(port, "/", debug)
      assert.strictEqual(refused.status, 503)
      assert.strictEqual(refused.headers["kong-route-id"], id(2))
      assert.isUndefined(refused.headers["kong-route-name"])
      assert.isUndefined(refused.headers["kong-service-id"])
    })
  )

  it.live("§7 by default says nothing", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port))
      assert.isUndefined((yield* get(port, "/", debug)).headers["kong-route-id"])
    })
  )
})

describe("§5 upstream_keepalive_max_requests", () => {
  it.live("§5 a connection is closed after its share; 0 sets no limit", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end())
      const limited = yield* startProxy(oneRoute(upstream.port), { settings: { upstream_keepalive_max_requests: 3 } })
      for (let round = 0; round < 7; round++) yield* get(limited.port)
      assert.strictEqual(upstream.accepted(), 3)
      const free = yield* startProxy(oneRoute(upstream.port), { settings: { upstream_keepalive_max_requests: 0 } })
      for (let round = 0; round < 7; round++) yield* get(free.port)
      assert.strictEqual(upstream.accepted(), 4)
    })
  )

  it.live("§5 an upstream that promises less patience than the next request may need is not relied on", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => {
        response.setHeader("Keep-Alive", "timeout=0")
        response.setHeader("Connection", "keep-alive")
        response.end()
      })
      const { port } = yield* startProxy(oneRoute(upstream.port))
      for (let round = 0; round < 3; round++) yield* get(port)
      assert.strictEqual(upstream.accepted(), 3)
    })
  )
})

describe("§5 upstream_keepalive_idle_timeout", () => {
  it.live("§5 an idle connection is closed when it has been idle for so long", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end())
      const settings = given({ upstream_keepalive_idle_timeout: "0.05" })
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings })
      yield* get(port)
      assert.strictEqual(upstream.sockets.size, 1)
      yield* Effect.suspend(() => (upstream.sockets.size === 0 ? Effect.void : Effect.fail("open"))).pipe(
        Effect.retry(Schedule.spaced("5 millis"))
      )
    })
  )
})

describe("§3.1 error_default_type", () => {
  it.live("§3.1 counts for core errors that ask for nothing, and for them alone", () =>
    Effect.gen(function* () {
      const settings = given({ error_default_type: "application/xml" })
      const { port, serve } = yield* startProxy(oneRoute((yield* closed).port, { retries: 0 }), { settings })
      const core = yield* get(port)
      assert.strictEqual(core.headers["content-type"], "application/xml; charset=utf-8")
      assert.match(core.body, /^<\?xml .*\?>\n<error>\n {2}<message>An invalid response/)
      assert.match(yield* sendRaw(port, "nonsense\r\n\r\n"), /<message>Bad request<\/message>/)
      serve(configOf({}))
      assert.strictEqual((yield* get(port)).headers["content-type"], "application/json; charset=utf-8")
    })
  )
})

describe("router.md §7 forwarded scheme", () => {
  it.live("§7 a trusted peer's X-Forwarded-Proto counts, a stranger's does not; http routes take https", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const claim = { "X-Forwarded-Proto": "https" }
      const config = oneRoute(upstream.port, {}, { protocols: ["https"] })
      const trusting = yield* startProxy(config, { settings: given({ trusted_ips: "127.0.0.1" }) })
      assert.strictEqual((yield* get(trusting.port, "/", claim)).status, 203)
      const moved = oneRoute(upstream.port, {}, { protocols: ["https"], https_redirect_status_code: 301 })
      trusting.serve(moved)
      const outer = yield* get(trusting.port, "/a?b", { "X-Forwarded-Host": "outer.test" })
      assert.strictEqual(outer.status, 301)
      assert.strictEqual(outer.headers.location, "https://outer.test/a?b")
      trusting.serve(oneRoute(upstream.port, {}, { protocols: ["http"] }))
      assert.strictEqual((yield* get(trusting.port, "/", claim)).status, 203)
      const wary = yield* startProxy(config)
      assert.strictEqual((yield* get(wary.port, "/", claim)).status, 426)
    })
  )
})
