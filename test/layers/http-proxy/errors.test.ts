/** Answers in the gateway's own name: reference `proxy-behaviour.md` §3, `router.md` §7. */
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startDnsServer, type Zone } from "../../support/dnsServer.ts"
import { settings } from "../../support/settings.ts"
import { configOf, get, id, oneRoute, send, sendRaw, startProxy, startRawUpstream, startUpstream } from "./support.ts"

const messageOf = (body: string): string => JSON.parse(body).message

const json = { Accept: "application/json" }

/** A port on which nobody listens. */
const closedPort = Effect.promise(
  () =>
    new Promise<number>((resolve) => {
      const server = net.createServer()
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as net.AddressInfo
        server.close(() => resolve(port))
      })
    })
)

describe("§3 errors of the route", () => {
  it.live("§3 404, exactly as Kong writes it", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy()
      const answer = yield* get(port)
      const requestId = answer.headers["x-kong-request-id"]
      assert.strictEqual(answer.status, 404)
      assert.strictEqual(answer.headers["content-type"], "application/json; charset=utf-8")
      assert.strictEqual(answer.headers.server, "kong/3.9.0")
      assert.match(String(answer.headers["x-kong-response-latency"]), /^\d+$/)
      assert.isUndefined(answer.headers.via)
      assert.strictEqual(
        answer.body,
        `{\n  "message":"no Route matched with those values",\n  "request_id":"${requestId}"\n}`
      )
    })
  )

  it.live.each([
    ["text/plain", "text/plain; charset=utf-8", /^no Route matched with those values\nrequest_id: [0-9a-f]{32}\n$/],
    ["application/xml;q=0.5, text/*", "text/plain; charset=utf-8", /^no Route/],
    ["application/xml", "application/xml; charset=utf-8", /<message>no Route matched with those values<\/message>/],
    ["text/html, text/plain", "text/html; charset=utf-8", /<p>no Route matched with those values\.<\/p>/],
    ["image/png", "application/json; charset=utf-8", /"message":"no Route/],
    ["application/grpc", "application/grpc", /^$/]
  ] as const)("§3.1 Accept: %s", ([accept, contentType, body]) =>
    Effect.gen(function* () {
      const { port } = yield* startProxy()
      const answer = yield* get(port, "/", { Accept: accept })
      assert.strictEqual(answer.headers["content-type"], contentType)
      assert.match(answer.body, body)
    })
  )

  it.live("router.md §7 426 or a redirect where only https will do", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(oneRoute(1, {}, { protocols: ["https"] }))
      const refused = yield* get(port)
      assert.strictEqual(refused.status, 426)
      assert.strictEqual(messageOf(refused.body), "Please use HTTPS protocol")
      assert.strictEqual(refused.headers.upgrade, "TLS/1.2, HTTP/1.1")
      assert.strictEqual(refused.headers.connection, "Upgrade")

      const redirecting = yield* startProxy(oneRoute(1, {}, { protocols: ["https"], https_redirect_status_code: 308 }))
      const moved = yield* get(redirecting.port, "/a%20b?c=1", { Host: "H.test:80" })
      assert.strictEqual(moved.status, 308)
      assert.strictEqual(moved.headers.location, "https://h.test/a%20b?c=1")
    })
  )

  it.live("router.md §7 503 for a route without a service, and for services that are not served", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(
        configOf({
          services: [{ id: id(1), host: "127.0.0.1", protocol: "grpc" }],
          routes: [
            { id: id(2), paths: ["/none"] },
            { id: id(3), paths: ["/grpc"], service: id(1) }
          ]
        })
      )
      const none = yield* get(port, "/none")
      assert.strictEqual(none.status, 503)
      assert.strictEqual(messageOf(none.body), "no Service found with those values")
      assert.strictEqual((yield* get(port, "/grpc")).status, 503)
    })
  )

  it.live("router.md §7 415 and 426 for what is not gRPC over HTTP/2", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(oneRoute(1, { protocol: "grpc" }, { protocols: ["grpc", "grpcs"] }))
      assert.strictEqual((yield* get(port)).status, 415)
      const plain = yield* get(port, "/", { "Content-Type": "application/grpc+proto" })
      assert.strictEqual(plain.status, 426)
      assert.strictEqual(messageOf(plain.body), "Please use HTTP2 protocol")
    })
  )
})

describe("§3 errors of the upstream", () => {
  it.live("§3 502 when nobody listens there; such an answer counts as proxied", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(oneRoute(yield* closedPort, { retries: 1 }))
      const answer = yield* get(port)
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
      assert.match(answer.body, /^An invalid response was received from the upstream server\nrequest_id: /)
      assert.strictEqual(answer.headers.via, "1.1 kong/3.9.0")
      assert.isDefined(answer.headers["x-kong-proxy-latency"])
      assert.isUndefined(answer.headers["x-kong-response-latency"])
    })
  )

  it.live("§3.1 core errors ask Accept, then the request's Content-Type", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(oneRoute(yield* closedPort, { retries: 0 }))
      assert.match((yield* get(port, "/", json)).body, /^\{/)
      assert.match((yield* get(port, "/", { "Content-Type": "application/xml" })).body, /^<\?xml/)
    })
  )

  it.live.each([
    ["no HTTP at all", "hello\r\n\r\n"],
    ["a status that is none", "HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n"],
    ["control characters in the reason", "HTTP/1.1 200 a\u0001b\r\nContent-Length: 0\r\n\r\n"],
    ["a coding that nobody undoes", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ["length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a switch that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"]
  ] as const)("§3 502 for an answer that can't be read: %s", ([, text]) =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) => socket.on("data", () => socket.write(text)))
      const { port } = yield* startProxy(oneRoute(upstream.port, { retries: 0 }))
      assert.strictEqual((yield* get(port)).status, 502)
    })
  )

  it.live("§3 504 when the upstream says nothing", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream(() => undefined)
      const { port } = yield* startProxy(oneRoute(upstream.port, { retries: 0, read_timeout: 20 }))
      const answer = yield* get(port, "/", json)
      assert.strictEqual(answer.status, 504)
      assert.strictEqual(messageOf(answer.body), "The upstream server is timing out")
    })
  )

  it.live("§3 503 when the name resolves to nothing, 500 when nobody can say", () =>
    Effect.gen(function* () {
      const zone: Zone = new Map([["broken.test", "servfail"]])
      const { address } = yield* startDnsServer(zone)
      const { dns_resolver } = settings({ dns_resolver: address })
      const { port, serve } = yield* startProxy(oneRoute(80, { host: "nowhere.test" }), { settings: { dns_resolver } })
      const nowhere = yield* get(port)
      assert.strictEqual(nowhere.status, 503)
      assert.strictEqual(messageOf(nowhere.body), "name resolution failed")
      serve(oneRoute(80, { host: "broken.test" }))
      const broken = yield* get(port)
      assert.strictEqual(broken.status, 500)
      assert.strictEqual(
        messageOf(broken.body),
        "failed the initial dns/balancer resolve for 'broken.test' with: ESERVFAIL"
      )
    })
  )

  it.live("§3 503 when the balancer has nobody", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(
        configOf({
          upstreams: [{ id: id(5), name: "pool" }],
          services: [{ id: id(1), host: "pool" }],
          routes: [{ id: id(2), service: id(1), paths: ["/"] }]
        })
      )
      const answer = yield* get(port)
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(messageOf(answer.body), "failure to get a peer from the ring-balancer")
    })
  )
})

describe("§3 requests that nobody should send", () => {
  it.live.each([
    ["no HTTP", "hello\r\n\r\n"],
    ["no Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"],
    ["a Host that is none", "GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n"],
    ["a broken triplet", "GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
    ["a NUL in the path", "GET /%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
    ["an asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
    [
      "length and chunks",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ],
    [
      "a coding that nobody undoes",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
    ],
    ["a head without end", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(40_000)}\r\n\r\n`]
  ] as const)("§3 400: %s", ([, text]) =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(oneRoute(1))
      const answer = yield* sendRaw(port, text)
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
      assert.match(answer, /\r\n\r\n(Bad request|Request header or cookie too large)\nrequest_id: [0-9a-f]{32}\n$/)
    })
  )

  it.live("§3 405 for CONNECT, 417 for an expectation that nobody knows", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(oneRoute(1))
      assert.match(yield* sendRaw(port, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"), /^HTTP\/1\.1 405 /)
      const expecting = { headers: { Expect: "miracles" } }
      assert.strictEqual((yield* Effect.promise(() => send(port, expecting))).status, 417)
    })
  )

  it.live("router.md §1 an absolute target names the host", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => response.end(request.url))
      const { port } = yield* startProxy(oneRoute(upstream.port, {}, { hosts: ["right.test"] }))
      const text = yield* sendRaw(
        port,
        "GET http://right.test/a?b HTTP/1.1\r\nHost: wrong\r\nConnection: close\r\n\r\n"
      )
      assert.match(text, /^HTTP\/1\.1 200 /)
      assert.match(text, /\/a\?b/)
    })
  )
})
