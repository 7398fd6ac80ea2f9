/** Headers to the upstream and back: reference `proxy-behaviour.md` §1, §2. */
import http from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  configOf,
  get,
  id,
  oneRoute,
  post,
  readAll,
  send,
  sendRaw,
  startProxy,
  startRawUpstream,
  startUpstream
} from "./support.ts"

/** Answers with what it was sent. */
const mirror = startUpstream((request, response) => {
  request.resume()
  request.on("end", () =>
    response.end(JSON.stringify({ url: request.url, headers: request.headers, raw: request.rawHeaders }))
  )
})

interface Seen {
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly raw: ReadonlyArray<string>
}

const seenBy = (body: string): Seen => JSON.parse(body)

describe("§1 to the upstream", () => {
  it.live("§1 tells who asked, how, and for what", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port, {}, { paths: ["/fee"] }))
      const { headers, url } = seenBy((yield* get(port, "/fee/bar?x=1", { Host: "API.test:1234" })).body)
      assert.strictEqual(url, "/bar?x=1")
      assert.strictEqual(headers.host, `127.0.0.1:${upstream.port}`)
      assert.strictEqual(headers.connection, "keep-alive")
      assert.strictEqual(headers.via, "1.1 kong/3.9.0")
      assert.strictEqual(headers["x-forwarded-for"], "127.0.0.1")
      assert.strictEqual(headers["x-real-ip"], "127.0.0.1")
      assert.strictEqual(headers["x-forwarded-proto"], "http")
      assert.strictEqual(headers["x-forwarded-host"], "api.test")
      assert.strictEqual(headers["x-forwarded-port"], String(port))
      assert.strictEqual(headers["x-forwarded-path"], "/fee/bar")
      assert.strictEqual(headers["x-forwarded-prefix"], "/fee")
      assert.match(String(headers["x-kong-request-id"]), /^[0-9a-f]{32}$/)
      assert.isUndefined(headers["transfer-encoding"])
      assert.isUndefined(headers["content-length"])
    })
  )

  it.live("§1 what strangers claim is overwritten or appended to", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const claims = {
        "X-Forwarded-For": "9.9.9.9",
        "X-Real-IP": "9.9.9.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Port": "1",
        "X-Forwarded-Path": "/evil",
        "X-Forwarded-Prefix": "/evil",
        "X-Kong-Request-Id": "mine",
        Via: "1.0 other"
      }
      const { headers } = seenBy((yield* get(port, "/p", { Host: "h.test", ...claims })).body)
      assert.strictEqual(headers["x-forwarded-for"], "9.9.9.9, 127.0.0.1")
      assert.strictEqual(headers["x-real-ip"], "127.0.0.1")
      assert.strictEqual(headers["x-forwarded-proto"], "http")
      assert.strictEqual(headers["x-forwarded-host"], "h.test")
      assert.strictEqual(headers["x-forwarded-port"], String(port))
      assert.strictEqual(headers["x-forwarded-path"], "/p")
      assert.isUndefined(headers["x-forwarded-prefix"])
      assert.notStrictEqual(headers["x-kong-request-id"], "mine")
      assert.strictEqual(headers.via, "1.0 other, 1.1 kong/3.9.0")
    })
  )

  it.live("§1 a trusted peer is believed", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const settings = { trusted_ips: ["127.0.0.0/8"] }
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings })
      const claims = {
        "X-Forwarded-For": "9.9.9.9",
        "X-Real-IP": "9.9.9.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "outer.test",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Path": "/outer",
        "X-Forwarded-Prefix": "/prefix"
      }
      const { headers } = seenBy((yield* get(port, "/p", claims)).body)
      assert.strictEqual(headers["x-forwarded-for"], "9.9.9.9, 127.0.0.1")
      assert.strictEqual(headers["x-real-ip"], "9.9.9.9")
      assert.strictEqual(headers["x-forwarded-proto"], "https")
      assert.strictEqual(headers["x-forwarded-host"], "outer.test")
      assert.strictEqual(headers["x-forwarded-port"], "443")
      assert.strictEqual(headers["x-forwarded-path"], "/outer")
      assert.strictEqual(headers["x-forwarded-prefix"], "/prefix")
    })
  )

  it.live("§1 hop-by-hop headers end here, the others keep casing, order and repetitions", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const head = [
        "GET / HTTP/1.1",
        "Host: h",
        "X-oNe: 1",
        "x_two: a",
        "X-One: 2",
        "Proxy: p",
        "Proxy-Connection: keep-alive",
        "Keep-Alive: timeout=1",
        "X-Secret: s",
        "TE: gzip, trailers;q=0.5",
        "Upgrade: h2c",
        "Connection: close, X-Secret"
      ]
      const text = yield* sendRaw(port, `${head.join("\r\n")}\r\n\r\n`)
      const { raw, headers } = seenBy(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1))
      assert.deepStrictEqual(raw.slice(2, 8), ["X-oNe", "1", "x_two", "a", "X-One", "2"])
      for (const name of ["proxy", "proxy-connection", "keep-alive", "x-secret", "upgrade"]) {
        assert.isUndefined(headers[name], name)
      }
      assert.strictEqual(headers.te, "trailers")
      assert.strictEqual(headers.connection, "keep-alive")
    })
  )

  it.live("router.md §9 Host: preserved when the route says so", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port, {}, { preserve_host: true }))
      assert.strictEqual(seenBy((yield* get(port, "/", { Host: "My.Host:99" })).body).headers.host, "My.Host:99")
    })
  )

  it.live("§1 what is empty is not sent; an empty claim of a trusted peer counts as none", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const settings = { trusted_ips: ["127.0.0.1"] }
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings })
      const empty = { "X-Forwarded-Proto": "", "X-Forwarded-Prefix": "", "X-Forwarded-For": "", Via: "", TE: "gzip" }
      const { headers } = seenBy((yield* get(port, "/", empty)).body)
      assert.strictEqual(headers["x-forwarded-proto"], "http")
      assert.strictEqual(headers["x-forwarded-for"], "127.0.0.1")
      assert.strictEqual(headers.via, "1.1 kong/3.9.0")
      assert.isUndefined(headers["x-forwarded-prefix"])
      assert.isUndefined(headers.te)
    })
  )

  it.live("§1 Connection names nothing when it says keep-alive, close or upgrade alone", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port))
      for (const connection of ["close", "X-Named, close"]) {
        const head = `GET / HTTP/1.1\r\nHost: h\r\nConnection: ${connection}\r\nClose: kept\r\nX-Named: n\r\n\r\n`
        const text = yield* sendRaw(port, head)
        const { headers } = seenBy(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1))
        assert.strictEqual(headers["x-named"], connection === "close" ? "n" : undefined)
        assert.strictEqual(headers.close, connection === "close" ? "kept" : undefined)
      }
    })
  )

  it.live("router.md §9 a host_header with a port is taken as it is", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const config = (port: number) =>
        configOf({
          upstreams: [{ id: id(5), name: "pool", host_header: "inner.test:80" }],
          targets: [{ id: id(6), upstream: id(5), target: `127.0.0.1:${port}` }],
          services: [{ id: id(1), host: "pool" }],
          routes: [{ id: id(2), service: id(1), paths: ["/"] }]
        })
      const { port } = yield* startProxy(config(upstream.port))
      assert.strictEqual(seenBy((yield* get(port)).body).headers.host, "inner.test:80")
    })
  )

  it.live("router.md §8 a bare ? stays, and the query goes along as it came", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port, { path: "/base" }, { paths: ["/r"] }))
      assert.strictEqual(seenBy((yield* get(port, "/r/a?")).body).url, "/base/a?")
      assert.strictEqual(seenBy((yield* get(port, "/r/a?b=%2f&c=[1]")).body).url, "/base/a?b=%2f&c=[1]")
    })
  )

  it.live("§1 bodies keep their framing", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const chunked = { method: "DELETE", headers: { "Transfer-Encoding": "chunked" } }
      const answer = yield* Effect.promise(() => send(port, chunked, "hello"))
      assert.strictEqual(seenBy(answer.body).headers["transfer-encoding"], "chunked")
      assert.strictEqual(seenBy((yield* post(port, "/", "hello")).body).headers["content-length"], "5")
      assert.strictEqual(seenBy((yield* post(port, "/", "")).body).headers["content-length"], "0")
    })
  )
})

describe("§2 to the client", () => {
  it.live("§2 keeps what the upstream said, drops what was meant for us, adds ours", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => {
        response.writeHead(201, "Made", [
          ...["Set-Cookie", "a=1"],
          ...["set-cookie", "b=2"],
          ...["X-CaSe", "v"],
          ...["Server", "mine"],
          ...["Via", "1.1 inner"],
          ...["X-Hop", "h"],
          ...["Connection", "X-Hop, keep-alive"],
          ...["Trailer", "X-T"]
        ])
        response.end("ok")
      })
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const { status, headers, rawHeaders } = yield* get(port)
      assert.strictEqual(status, 201)
      assert.deepStrictEqual(headers["set-cookie"], ["a=1", "b=2"])
      assert.deepStrictEqual(rawHeaders.slice(0, 6), ["Set-Cookie", "a=1", "set-cookie", "b=2", "X-CaSe", "v"])
      assert.strictEqual(headers.server, "mine")
      assert.strictEqual(headers.via, "1.1 inner, 1.1 kong/3.9.0")
      assert.isUndefined(headers["x-hop"])
      assert.isUndefined(headers.trailer)
      assert.match(String(headers["x-kong-upstream-latency"]), /^\d+$/)
      assert.match(String(headers["x-kong-proxy-latency"]), /^\d+$/)
      assert.match(String(headers["x-kong-request-id"]), /^[0-9a-f]{32}$/)
    })
  )

  it.live("§2 trailers reach a client that takes them", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => {
        response.writeHead(200, { Trailer: "X-T" })
        response.write("body")
        response.addTrailers({ "X-T": "t" })
        response.end()
      })
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const taken = yield* get(port, "/", { TE: "trailers", Connection: "TE" })
      assert.deepStrictEqual({ ...taken.trailers }, { "x-t": "t" })
      assert.deepStrictEqual({ ...(yield* get(port)).trailers }, {})
    })
  )

  it.live.each([
    ["HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "5"],
    ["HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, undefined],
    ["204", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, undefined],
    ["304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "5"],
    [
      "100 before the answer",
      "GET",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      200,
      "0"
    ]
  ] as const)("§2 answers without a body keep both connections in step: %s", ([, method, text, status, length]) =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) => socket.on("data", () => socket.write(text)))
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
      for (let round = 0; round < 3; round++) {
        const answer = yield* Effect.promise(() => send(port, { method, agent }))
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.body, "")
        assert.strictEqual(answer.headers["content-length"], length)
      }
      assert.strictEqual(upstream.accepted(), 1)
    })
  )

  it.live("§1 Expect: 100-continue is answered before the body is asked for", () =>
    Effect.gen(function* () {
      const upstream = yield* mirror
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const seen = yield* Effect.promise(
        () =>
          new Promise<Seen>((resolve, reject) => {
            const headers = { Expect: "100-continue", "Content-Length": "5" }
            const request = http.request({ host: "127.0.0.1", port, method: "POST", headers, agent: false })
            request.on("continue", () => request.end("hello"))
            request.on("response", (answer) => void readAll(answer).then(({ body }) => resolve(seenBy(body)), reject))
            request.on("error", reject)
            request.flushHeaders()
          })
      )
      assert.strictEqual(seen.headers["content-length"], "5")
      assert.isUndefined(seen.headers.expect)
    })
  )
})
