/** Real questions to a name server of the test's, and through the proxy: reference `proxy-behaviour.md` §6, §9. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as DnsResolver from "../../../src/layers/dns/DnsResolver.ts"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import { ResolveFailure, Resolver } from "../../../src/services/Resolver.ts"
import { startDnsServer, type TestRecord, type Zone } from "../../support/dnsServer.ts"
import { settings, settingsLayer } from "../../support/settings.ts"
import { get, oneRoute, startProxy, startUpstream } from "../http-proxy/support.ts"

const a = (address: string, ttl = 60): TestRecord => ({ type: "A", ttl, address })
const srv = (target: string, port: number, priority = 1, weight = 1): TestRecord => ({
  type: "SRV",
  ttl: 60,
  priority,
  weight,
  port,
  target
})

const setup = Effect.fnUntraced(function* (
  records: Readonly<Record<string, ReadonlyArray<TestRecord> | "servfail">>,
  given: Partial<Record<SettingName, string>> = {}
) {
  const zone: Zone = new Map(Object.entries(records))
  const server = yield* startDnsServer(zone)
  const layer = DnsResolver.layer.pipe(Layer.provide(settingsLayer({ dns_resolver: server.address, ...given })))
  const resolver = Context.get(yield* Layer.build(layer), Resolver)
  const resolve = (host: string, port = 80) =>
    Effect.callback<string>((resume) =>
      resolver.resolve({ host, port }, (found) =>
        resume(Effect.succeed(found instanceof ResolveFailure ? found.code : `${found.host}:${found.port}`))
      )
    )
  return { zone, server, resolver, resolve }
})

describe("resolving (proxy-behaviour.md §9)", () => {
  it.live("asks the servers of dns_resolver, for SRV and then for A, and holds the answer for its TTL", () =>
    Effect.gen(function* () {
      const { server, resolver, resolve } = yield* setup({ "a.test.": [], "a.test": [a("10.0.0.1"), a("10.0.0.2")] })
      const both = yield* Effect.all([resolve("a.test."), resolve("a.test.")], { concurrency: 2 })
      assert.sameMembers([...both], ["10.0.0.1:80", "10.0.0.2:80"])
      yield* resolve("a.test.")
      assert.deepEqual(server.asked, ["SRV a.test", "A a.test"])
      assert.deepInclude(resolver.stats(), { hits: 1, misses: 2, queries: 2 })
    })
  )

  it.live("takes SRV records of the best priority, with their ports", () =>
    Effect.gen(function* () {
      const { resolve } = yield* setup({
        "svc.test": [srv("b.test", 8001), srv("c.test", 8002, 2)],
        "b.test": [a("10.0.0.1")],
        "c.test": [a("10.0.0.2")]
      })
      for (let round = 0; round < 4; round++) assert.strictEqual(yield* resolve("svc.test."), "10.0.0.1:8001")
    })
  )

  it.live("asks for AAAA where dns_order says so", () =>
    Effect.gen(function* () {
      const six: TestRecord = { type: "AAAA", ttl: 60, groups: [0xfd00, 0, 0, 0, 0, 0, 0, 1] }
      const { resolve } = yield* setup({ "six.test": [six] }, { dns_order: "LAST,A,AAAA" })
      assert.strictEqual(yield* resolve("six.test."), "fd00::1:80")
    })
  )

  it.live("tells a name that does not exist from a server that fails", () =>
    Effect.gen(function* () {
      const { server, resolve } = yield* setup({ "broken.test": "servfail", "empty.test": [] }, { dns_order: "A" })
      assert.strictEqual(yield* resolve("none.test."), "ENOTFOUND")
      assert.strictEqual(yield* resolve("empty.test."), "ENOTFOUND")
      assert.strictEqual(yield* resolve("broken.test."), "ESERVFAIL")
      assert.include(server.asked, "A broken.test")
    })
  )

  it.live("asks for each request where records have TTL 0, unless dns_valid_ttl says how long they hold", () =>
    Effect.gen(function* () {
      const zero = { "a.test": [a("10.0.0.1", 0)] }
      const each = yield* setup(zero, { dns_order: "A" })
      const held = yield* setup(zero, { dns_order: "A", dns_valid_ttl: "5" })
      for (const { resolve } of [each, held]) {
        yield* resolve("a.test.")
        yield* resolve("a.test.")
      }
      assert.deepEqual([each.server.asked.length, held.server.asked.length], [2, 1])
    })
  )
})

describe("through the proxy (proxy-behaviour.md §6)", () => {
  it.live("a service's host leads to its addresses and SRV ports; Host keeps the name", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => response.end(request.headers.host))
      const zone: Zone = new Map([["a.test", [a("127.0.0.1")]]])
      zone.set("svc.test", [srv("a.test", upstream.port)]).set("broken.test", "servfail")
      const server = yield* startDnsServer(zone)
      const { dns_resolver } = settings({ dns_resolver: server.address })
      const { port, serve } = yield* startProxy(oneRoute(upstream.port, { host: "a.test" }), {
        settings: { dns_resolver }
      })
      for (let round = 0; round < 2; round++) assert.strictEqual((yield* get(port)).body, `a.test:${upstream.port}`)
      serve(oneRoute(9, { host: "svc.test" }))
      assert.strictEqual((yield* get(port)).body, `svc.test:${upstream.port}`)
      assert.strictEqual(server.asked.filter((question) => question === "A a.test").length, 1 + 1)
      serve(oneRoute(9, { host: "none.test" }))
      const gone = yield* get(port)
      assert.deepEqual([gone.status, /name resolution failed/.test(gone.body)], [503, true])
      serve(oneRoute(9, { host: "broken.test" }))
      const broken = yield* get(port)
      assert.deepEqual([broken.status, /ESERVFAIL/.test(broken.body)], [500, true])
    })
  )
})
