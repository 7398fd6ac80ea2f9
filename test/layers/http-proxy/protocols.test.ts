/** What is not a plain request: reference `proxy-behaviour.md` §2, §10, `router.md` §7, `config-model.md` §3. */
import http from "node:http"
import http2 from "node:http2"
import https from "node:https"
import net from "node:net"
import tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { authority, leaf } from "../../support/pki.ts"
import {
  configOf,
  id,
  loopback,
  oneRoute,
  readAll,
  sendRaw,
  startProxy,
  startRawUpstream,
  startUpstream
} from "./support.ts"

const certificateOf = (commonName: string): Effect.Effect<CertificatePair> =>
  Effect.gen(function* () {
    return yield* leaf(yield* authority("CA"), { commonName, dnsNames: [commonName] })
  })

const secure = { ...loopback, isTls: true }
const secure2 = { ...secure, isHttp2: true }

/** Answers with method, header and body as they arrived. */
const teller = () =>
  startUpstream((request, response) => {
    let body = ""
    request.on("data", (chunk) => {
      body += chunk
    })
    request.on("end", () => {
      response.end(`${request.method} ${request.url} ${request.headers.upgrade} ${request.headers["x-own"]} [${body}]`)
    })
  })

describe("§10 upgrades that nobody serves", () => {
  const h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"

  it.live.each([
    ["without a body", `GET /a?b HTTP/1.1\r\nHost: h\r\nX-Own: é\r\n${h2c}\r\n`, "GET /a?b undefined Ã© []"],
    [
      "with a length",
      `POST / HTTP/1.1\r\nHost: h\r\n${h2c}Content-Length: 4\r\n\r\nbody`,
      "POST / undefined undefined [body]"
    ],
    [
      "in chunks",
      `PUT / HTTP/1.1\r\nHost: h\r\n${h2c}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`,
      "PUT / undefined undefined [body]"
    ]
  ] as const)("§10 h2c is a request like any other, and its connection goes on: %s", ([, request, expected]) =>
    Effect.gen(function* () {
      const upstream = yield* teller()
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port))
      const last = "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      const text = yield* sendRaw(port, Buffer.from(request + last, "utf8").toString("latin1"))
      assert.include(Buffer.from(text, "latin1").toString("utf8"), expected)
      assert.include(text, "GET /last undefined undefined []")
      assert.strictEqual(proxy.counts().accepted, 1)
      assert.strictEqual(proxy.counts().requests, 2)
    })
  )

  it.live("§10 a body that comes later is waited for", () =>
    Effect.gen(function* () {
      const upstream = yield* teller()
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const text = yield* Effect.promise(
        () =>
          new Promise<string>((resolve) => {
            let received = ""
            const client = net.connect(port, "127.0.0.1", () => {
              client.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n${h2c}\r\nbo`)
              setTimeout(() => client.write("dy"), 30)
            })
            client.on("data", (chunk) => {
              received += chunk
              if (received.includes("]")) client.destroy()
            })
            client.on("close", () => resolve(received))
          })
      )
      assert.include(text, "[body]")
    })
  )

  it.live.each([false, true])("§10 over TLS too (http2 on the listener: %s)", (isHttp2) =>
    Effect.gen(function* () {
      const upstream = yield* teller()
      const settings = { proxy_listen: [{ ...secure, isHttp2 }] }
      const certificate = yield* certificateOf("localhost")
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings, certificate })
      const answer = yield* Effect.promise(
        () =>
          new Promise<string>((resolve, reject) => {
            const headers = { Connection: "Upgrade", Upgrade: "h2c", "Content-Length": 4 }
            const options = { host: "127.0.0.1", port, method: "POST", headers, agent: false as const }
            https
              .request({ ...options, rejectUnauthorized: false }, (received) => {
                readAll(received).then(({ body }) => resolve(body), reject)
              })
              .on("error", reject)
              .end("body")
          })
      )
      assert.strictEqual(answer, "POST / undefined undefined [body]")
    })
  )
})

describe("§10 upgrades behind a request that is not answered yet", () => {
  const slow = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
  const bytes = 4 * 1024 * 1024

  /** Everything said until `end` is among it. */
  const until = (port: number, text: string, end: string) =>
    Effect.promise(
      () =>
        new Promise<string>((resolve) => {
          let received = ""
          const client = net.connect(port, "127.0.0.1", () => client.write(text))
          client.on("data", (chunk) => {
            received += chunk.toString("latin1")
            if (received.includes(end)) client.destroy()
          })
          client.on("close", () => resolve(received))
        })
    )

  it.live.each([
    ["h2c", "Upgrade: h2c\r\n"],
    [
      "a WebSocket",
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    ]
  ] as const)("§10 wait for their turn: %s", ([, upgrade]) =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => {
        if (request.url === "/slow") setTimeout(() => response.end(Buffer.alloc(bytes, "s")), 50)
        else response.end("the second")
      })
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port, {}, { strip_path: false }))
      const second = `GET /second HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n${upgrade}\r\n`
      const text = yield* until(port, slow + second, "the second")
      assert.isAbove(text.indexOf("the second"), bytes)
      assert.strictEqual(proxy.counts().requests, 2)
    })
  )
})

describe("interim answers", () => {
  const hints =
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\nX-Other: x\r\n\r\n"
  const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  const upstreamWith = (text: string) => startRawUpstream((socket) => socket.on("data", () => socket.write(text)))

  it.live("103 Early Hints go to the client with their links, before the answer", () =>
    Effect.gen(function* () {
      const upstream = yield* upstreamWith(hints + answer)
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const seen = yield* Effect.promise(
        () =>
          new Promise<{ readonly link: unknown; readonly other: unknown; readonly body: string }>((resolve, reject) => {
            let hint: http.IncomingHttpHeaders = {}
            http
              .get({ host: "127.0.0.1", port, agent: false })
              .on("information", ({ headers }) => {
                hint = headers
              })
              .on("response", (received) => {
                readAll(received).then(({ body }) => resolve({ link: hint.link, other: hint["x-other"], body }), reject)
              })
              .on("error", reject)
          })
      )
      assert.deepStrictEqual(seen, {
        link: "</a.css>; rel=preload, </b.js>; rel=preload",
        other: undefined,
        body: "ok"
      })
    })
  )

  it.live.each([
    ["HTTP/1.0 knows none", hints, "GET / HTTP/1.0\r\n\r\n"],
    [
      "what is no link",
      "HTTP/1.1 103 Early Hints\r\nLink: nonsense\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    ],
    [
      "102 and 100",
      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    ]
  ] as const)("dropped, and the answer is what it was: %s", ([, interim, request]) =>
    Effect.gen(function* () {
      const upstream = yield* upstreamWith(interim + answer)
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const text = yield* sendRaw(port, request)
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*ok$/)
    })
  )
})

describe("§10 trailers of requests", () => {
  const trailersSeen = () =>
    startUpstream((request, response) => {
      request.resume()
      request.on("end", () => response.end(JSON.stringify([request.headers.trailer ?? null, request.trailers])))
    })
  const request = (announced: string) =>
    `POST / HTTP/1.1\r\nHost: h\r\n${announced}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: abc\r\nHost: other\r\nX-Real-IP: 9.9.9.9\r\n\r\n`

  it.live("§10 those that were announced go along with the body", () =>
    Effect.gen(function* () {
      const upstream = yield* trailersSeen()
      const { port } = yield* startProxy(oneRoute(upstream.port))
      assert.include(yield* sendRaw(port, request("Trailer: X-Sum\r\n")), '["x-sum",{"x-sum":"abc"}]')
      // What the gateway vouches for can't be said behind its back.
      const all = "Trailer: Host, X-Sum, X-Real-IP\r\n"
      assert.include(yield* sendRaw(port, request(all)), '["x-sum",{"x-sum":"abc"}]')
      assert.include(yield* sendRaw(port, request("")), "[null,{}]")
    })
  )
})

describe("config-model.md §3 clients that name no server", () => {
  const shown = (port: number) =>
    Effect.promise(
      () =>
        new Promise<string>((resolve, reject) => {
          const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
            resolve(socket.getPeerX509Certificate()?.subject ?? "")
            socket.destroy()
          })
          socket.on("error", reject)
        })
    )

  it.live.each([false, true])("§3 get the certificate of the SNI *, else the default (http2: %s)", (isHttp2) =>
    Effect.gen(function* () {
      const [star, later, fallback] = [
        yield* certificateOf("star"),
        yield* certificateOf("later"),
        yield* certificateOf("fallback")
      ]
      const starred = ({ cert, key }: CertificatePair) =>
        configOf({
          certificates: [{ id: id(8), cert, key }],
          snis: [{ id: id(10), name: "*", certificate: id(8) }]
        })
      const settings = { proxy_listen: [{ ...secure, isHttp2 }] }
      const { port, serve } = yield* startProxy(undefined, { settings, certificate: fallback })
      assert.strictEqual(yield* shown(port), "CN=fallback")
      serve(starred(star))
      assert.strictEqual(yield* shown(port), "CN=star")
      serve(starred(later))
      assert.strictEqual(yield* shown(port), "CN=later")
      serve(starred({ cert: "-----BEGIN CERTIFICATE-----\nbroken", key: later.key }))
      assert.strictEqual(yield* shown(port), "CN=fallback")
      serve(configOf({}))
      assert.strictEqual(yield* shown(port), "CN=fallback")
    })
  )
})

describe("router.md §7 gRPC", () => {
  it.live("§7 a grpcs route is served over TLS only; a grpc service is said not to be served", () =>
    Effect.gen(function* () {
      const certificate = yield* certificateOf("localhost")
      const settings = { proxy_listen: [secure2], trusted_ips: ["127.0.0.1"] }
      const { port } = yield* startProxy(oneRoute(1, { protocol: "grpcs" }, { protocols: ["grpcs"] }), {
        settings,
        certificate
      })
      const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      const ask = (headers: http2.OutgoingHttpHeaders) =>
        Effect.promise(
          () =>
            new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
              const stream = session.request({ ":path": "/", ...headers })
              stream.on("response", resolve)
              stream.on("error", reject)
              stream.resume()
            })
        )
      const grpc = { "content-type": "application/grpc", accept: "application/grpc" }
      const plain = yield* ask({ ...grpc, "x-forwarded-proto": "http" })
      assert.strictEqual(Number(plain[":status"]), 200)
      assert.strictEqual(plain["grpc-status"], "1")
      assert.strictEqual(plain["grpc-message"], "gRPC request matched gRPCs route")
      const unserved = yield* ask(grpc)
      assert.strictEqual(Number(unserved[":status"]), 503)
      assert.strictEqual(unserved["grpc-status"], "14")
      assert.strictEqual(unserved["grpc-message"], "services of protocol grpcs are not served by this node")
      assert.strictEqual(Number((yield* ask({}))[":status"]), 415)
    })
  )
})
