/** Upstreams over TLS, each a real one: reference `proxy-behaviour.md` §3, §5. */
import { X509Certificate } from "node:crypto"
import https from "node:https"
import type { TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CompiledConfig } from "../../../src/model/CompiledConfig.ts"
import type { Row } from "../../../src/model/Entity.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { type Authority, authority, type LeafOptions, leaf } from "../../support/pki.ts"
import { type Answer, configOf, get, id, listening, post, startProxy, startRawUpstream } from "./support.ts"

const named: LeafOptions = { commonName: "localhost", dnsNames: ["localhost", "inner.test"], addresses: ["127.0.0.1"] }

/** Answers with the server name that it was asked for and with the name of the client's certificate. */
const startSecure = ({ cert, key }: CertificatePair, options: https.ServerOptions = {}) =>
  listening(
    https.createServer({ cert, key, ...options }, ({ socket }, response) => {
      const { servername } = socket as TLSSocket
      const client = (socket as TLSSocket).getPeerX509Certificate()?.subject ?? "nobody"
      response.end(`${servername || "no name"}, ${client}`)
    })
  )

const caId = id(20)

const secureRoute = (port: number, service: Row, more: Row = {}): CompiledConfig =>
  configOf({
    services: [{ id: id(1), host: "localhost", protocol: "https", port, retries: 0, ...service }],
    routes: [{ id: id(2), service: id(1), paths: ["/"] }],
    ...more
  })

const trusting = (port: number, { cert }: Authority, service: Row = {}): CompiledConfig =>
  secureRoute(
    port,
    { tls_verify: true, ca_certificates: [caId], ...service },
    { ca_certificates: [{ id: caId, cert }] }
  )

const isRefused = (answer: Answer): void => {
  assert.strictEqual(answer.status, 502)
  assert.match(answer.body, /^An invalid response was received from the upstream server\n/)
  assert.isDefined(answer.headers["x-kong-proxy-latency"])
}

describe("§5 verification of upstreams", () => {
  it.live("§5 off by default: any certificate will do", () =>
    Effect.gen(function* () {
      const ca = yield* authority("CA")
      const { port } = yield* startSecure(yield* leaf(ca, { commonName: "other", expiredDaysAgo: 1 }))
      const proxy = yield* startProxy(secureRoute(port, {}))
      assert.strictEqual((yield* get(proxy.port)).body, "localhost, nobody")
    })
  )

  it.live("§5 tls_verify: right authority, right name, in time", () =>
    Effect.gen(function* () {
      const ca = yield* authority("CA")
      const { port, accepted } = yield* startSecure(yield* leaf(ca, named))
      const proxy = yield* startProxy(trusting(port, ca))
      for (let round = 0; round < 3; round++) assert.strictEqual((yield* get(proxy.port)).body, "localhost, nobody")
      assert.strictEqual(accepted(), 1)
      proxy.serve(trusting(port, ca, { host: "127.0.0.1" }))
      assert.strictEqual((yield* get(proxy.port)).body, "no name, nobody")
    })
  )

  it.live.each([
    ["another authority", named, true],
    ["expired", { ...named, expiredDaysAgo: 1 }, false],
    ["another name", { commonName: "other", dnsNames: ["other.test"] }, false]
  ] as const)("§3 502: %s", ([, options, isForeign]) =>
    Effect.gen(function* () {
      const ca = yield* authority("CA")
      const { port } = yield* startSecure(yield* leaf(isForeign ? yield* authority("CA") : ca, options))
      isRefused(yield* get((yield* startProxy(trusting(port, ca))).port))
    })
  )

  it.live("§5 tls_verify_depth: as many intermediate authorities as it says, by default one", () =>
    Effect.gen(function* () {
      const root = yield* authority("Root")
      const middle = yield* authority("Middle", root)
      const inner = yield* authority("Inner", middle)
      const below = (issuer: Authority) => Effect.flatMap(leaf(issuer, named), startSecure)
      const [none, one, two] = [yield* below(root), yield* below(middle), yield* below(inner)]
      const { port, serve } = yield* startProxy()
      const allows = (upstream: { readonly port: number }, depth: number | null) =>
        Effect.gen(function* () {
          serve(trusting(upstream.port, root, { tls_verify_depth: depth }))
          const answer = yield* get(port)
          if (answer.status !== 200) isRefused(answer)
          return answer.status === 200
        })
      assert.isTrue(yield* allows(none, 0))
      assert.isFalse(yield* allows(one, 0))
      assert.isTrue(yield* allows(one, 1))
      assert.isTrue(yield* allows(one, null))
      assert.isFalse(yield* allows(two, null))
      assert.isFalse(yield* allows(two, 1))
      assert.isTrue(yield* allows(two, 2))
    })
  )

  it.live("§5 connections made under one trust serve no request under another", () =>
    Effect.gen(function* () {
      const ca = yield* authority("CA")
      const { port, accepted } = yield* startSecure(yield* leaf(ca, named))
      const proxy = yield* startProxy(secureRoute(port, {}))
      assert.strictEqual((yield* get(proxy.port)).status, 200)
      proxy.serve(trusting(port, yield* authority("Other")))
      isRefused(yield* get(proxy.port))
      proxy.serve(trusting(port, ca))
      assert.strictEqual((yield* get(proxy.port)).status, 200)
      assert.strictEqual(accepted(), 3)
      // The same trust out of another configuration is the same: the pool outlives a push.
      proxy.serve(trusting(port, ca))
      assert.strictEqual((yield* get(proxy.port)).status, 200)
      assert.strictEqual(accepted(), 3)
    })
  )

  it.live("§5 the node's own settings count where a service says nothing", () =>
    Effect.gen(function* () {
      const ca = yield* authority("CA")
      const { port } = yield* startSecure(yield* leaf(ca, named))
      const verify = { nginx_proxy_proxy_ssl_verify: true }
      const strangers = yield* startProxy(secureRoute(port, {}), { settings: verify })
      isRefused(yield* get(strangers.port))
      strangers.serve(secureRoute(port, { tls_verify: false }))
      assert.strictEqual((yield* get(strangers.port)).status, 200)
      const settings = { ...verify, lua_ssl_trusted_certificate: [ca.cert] }
      const friends = yield* startProxy(secureRoute(port, {}), { settings })
      assert.strictEqual((yield* get(friends.port)).status, 200)
    })
  )
})

describe("§4 connect_timeout", () => {
  it.live("§4 counts until TLS stands, for each try: 504, any method", () =>
    Effect.gen(function* () {
      const mute = yield* startRawUpstream((socket) => socket.resume())
      const { port } = yield* startProxy(secureRoute(mute.port, { connect_timeout: 40, retries: 2 }))
      const answer = yield* post(port, "/", "body")
      assert.strictEqual(answer.status, 504)
      assert.match(answer.body, /^The upstream server is timing out\n/)
      assert.strictEqual(mute.accepted(), 3)
    })
  )
})

describe("router.md §9 preserve_host over TLS", () => {
  it.live("§9 the client's Host, less its port, is the server name; each name has connections of its own", () =>
    Effect.gen(function* () {
      const ca = yield* authority("CA")
      const { port, accepted } = yield* startSecure(yield* leaf(ca, { ...named, dnsNames: ["a.test", "b.test"] }))
      const config = configOf({
        ca_certificates: [{ id: caId, cert: ca.cert }],
        services: [
          {
            id: id(1),
            host: "127.0.0.1",
            protocol: "https",
            port,
            tls_verify: true,
            ca_certificates: [caId],
            retries: 0
          }
        ],
        routes: [{ id: id(2), service: id(1), paths: ["/"], preserve_host: true }]
      })
      const proxy = yield* startProxy(config)
      const ask = (Host: string) => get(proxy.port, "/", { Host })
      assert.strictEqual((yield* ask("a.test:1")).body, "a.test, nobody")
      assert.strictEqual((yield* ask("b.test")).body, "b.test, nobody")
      assert.strictEqual((yield* ask("a.test")).body, "a.test, nobody")
      assert.strictEqual(accepted(), 2)
      isRefused(yield* ask("c.test"))
    })
  )
})

describe("§5 client certificates", () => {
  const setting = Effect.gen(function* () {
    const ca = yield* authority("CA")
    const requesting = { ca: ca.cert, requestCert: true, rejectUnauthorized: true }
    const { port } = yield* startSecure(yield* leaf(ca, named), requesting)
    return { ca, port }
  })

  it.live("§5 the service's, else the upstream's, else client_ssl_cert", () =>
    Effect.gen(function* () {
      const { ca, port } = yield* setting
      const pairs = yield* Effect.forEach(["service", "upstream", "global"], (commonName) => leaf(ca, { commonName }))
      const [ofService, ofUpstream, ofNode] = pairs
      const certificates = [
        { id: id(30), cert: ofService?.cert, key: ofService?.key },
        { id: id(31), cert: ofUpstream?.cert, key: ofUpstream?.key }
      ]
      const balanced = (service: Row, upstream: Row) =>
        secureRoute(
          port,
          { host: "pool", ...service },
          {
            certificates,
            upstreams: [{ id: id(5), name: "pool", ...upstream }],
            targets: [{ id: id(6), upstream: id(5), target: `localhost:${port}` }]
          }
        )
      const both = balanced({ client_certificate: id(30) }, { client_certificate: id(31) })
      const settings = {
        client_ssl: true,
        client_ssl_cert: ofNode?.cert ?? "",
        client_ssl_cert_key: ofNode?.key ?? ""
      }
      const proxy = yield* startProxy(both, { settings })
      const seen = () => Effect.map(get(proxy.port), ({ body }) => body)
      assert.strictEqual(yield* seen(), "localhost, CN=service")
      proxy.serve(balanced({}, { client_certificate: id(31) }))
      assert.strictEqual(yield* seen(), "localhost, CN=upstream")
      proxy.serve(balanced({}, {}))
      assert.strictEqual(yield* seen(), "localhost, CN=global")
    })
  )

  it.live("§3 502 for an upstream that wants one and gets none", () =>
    Effect.gen(function* () {
      const { port } = yield* setting
      isRefused(yield* get((yield* startProxy(secureRoute(port, {}))).port))
    })
  )

  it.live("§5 one that was renewed under its id is shown at once", () =>
    Effect.gen(function* () {
      const { ca, port } = yield* setting
      const shows = (pair: CertificatePair) =>
        secureRoute(
          port,
          { client_certificate: id(30) },
          { certificates: [{ id: id(30), cert: pair.cert, key: pair.key }] }
        )
      const proxy = yield* startProxy(shows(yield* leaf(ca, { commonName: "former" })))
      assert.strictEqual((yield* get(proxy.port)).body, "localhost, CN=former")
      const next = yield* leaf(ca, { commonName: "next" })
      assert.strictEqual(new X509Certificate(next.cert).subject, "CN=next")
      proxy.serve(shows(next))
      assert.strictEqual((yield* get(proxy.port)).body, "localhost, CN=next")
    })
  )
})
