/** What a request sees of an expired licence: `DESIGN.md` "The life of a node", 7; formats: `proxy-behaviour.md` §3.1. */
import { Agent } from "node:http"
import http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { licenseExpired } from "../../../src/model/GatewayError.ts"
import { authority, leaf } from "../../support/pki.ts"
import { get, loopback, oneRoute, post, send, sendRaw, signal, startProxy, startUpstream } from "./support.ts"

const answering = startUpstream((request, response) => {
  request.resume()
  request.on("end", () => response.end(`${request.method} ${request.url}`))
})

/** A proxy with one route, in front of an upstream that answers; the licence has expired. */
const stopped = Effect.gen(function* () {
  const upstream = yield* answering
  const proxy = yield* startProxy(oneRoute(upstream.port))
  proxy.refuse(licenseExpired)
  return { ...proxy, upstream }
})

describe("an expired licence", () => {
  it.live.each([
    [
      undefined,
      "application/json; charset=utf-8",
      /^\{\n {2}"message":"license expired",\n {2}"request_id":"[0-9a-f]{32}"\n\}$/
    ],
    ["application/json", "application/json; charset=utf-8", /"message":"license expired"/],
    ["text/plain", "text/plain; charset=utf-8", /^license expired\nrequest_id: [0-9a-f]{32}\n$/],
    ["application/xml", "application/xml; charset=utf-8", /<message>license expired<\/message>/],
    ["text/html", "text/html; charset=utf-8", /<p>license expired\.<\/p>/],
    ["image/png", "application/json; charset=utf-8", /"message":"license expired"/],
    ["application/grpc", "application/grpc", /^$/]
  ] as const)("§3.1 is 503 in the format of Accept: %s", ([accept, contentType, body]) =>
    Effect.gen(function* () {
      const { port } = yield* stopped
      const answer = yield* get(port, "/", {
        "Content-Type": "application/xml",
        ...(accept === undefined ? {} : { Accept: accept })
      })
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers["content-type"], contentType)
      assert.match(answer.body, body)
      assert.match(String(answer.headers["x-kong-request-id"]), /^[0-9a-f]{32}$/)
      assert.match(String(answer.headers["x-kong-response-latency"]), /^\d+$/)
      if (accept === "application/grpc") {
        assert.strictEqual(answer.headers["grpc-status"], "14")
        assert.strictEqual(answer.headers["grpc-message"], "license expired")
      }
    })
  )

  it.live("comes before routing, and no upstream hears of the request", () =>
    Effect.gen(function* () {
      const { port, upstream } = yield* stopped
      const nothing = yield* startProxy()
      nothing.refuse(licenseExpired)
      assert.strictEqual((yield* get(nothing.port)).status, 503)
      assert.strictEqual((yield* get(port, "/%zz")).status, 503)
      assert.strictEqual((yield* post(port, "/", Buffer.alloc(300_000))).status, 503)
      assert.strictEqual(upstream.accepted(), 0)
    })
  )

  it.live("keeps the connection, and ends with the licence: the next request on it is served", () =>
    Effect.gen(function* () {
      const { port, refuse } = yield* stopped
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
      const ask = (body?: string) =>
        Effect.promise(() => send(port, { agent, ...(body === undefined ? {} : { method: "POST" }) }, body))
      assert.strictEqual((yield* ask()).status, 503)
      assert.strictEqual((yield* ask("body")).status, 503)
      refuse(undefined)
      const served = yield* ask("body")
      assert.deepStrictEqual([served.status, served.body], [200, "POST /"])
      refuse(licenseExpired)
      assert.strictEqual((yield* ask()).status, 503)
    })
  )

  it.live("does not cut off what is under way", () =>
    Effect.gen(function* () {
      const arrived = signal()
      const release = signal()
      const upstream = yield* startUpstream((_, response) => {
        arrived.tell()
        void release.done.then(() => response.end("whole"))
      })
      const { port, refuse } = yield* startProxy(oneRoute(upstream.port))
      const answer = send(port)
      yield* Effect.promise(() => arrived.done)
      refuse(licenseExpired)
      release.tell()
      const { status, body } = yield* Effect.promise(() => answer)
      assert.deepStrictEqual([status, body], [200, "whole"])
    })
  )

  it.live("is what an upgrade, an expectation and an announced body are answered, too", () =>
    Effect.gen(function* () {
      const { port } = yield* stopped
      const upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"
      for (const headers of [
        upgrade,
        "Expect: 200-ok\r\nConnection: close\r\n",
        "Expect: 100-continue\r\nContent-Length: 5\r\n"
      ]) {
        const said = yield* sendRaw(port, `GET / HTTP/1.1\r\nHost: h\r\n${headers}\r\n`)
        assert.match(said, /^HTTP\/1\.1 503 /, headers)
        assert.include(said, "license expired")
      }
    })
  )

  it.live("is 503 over HTTP/2", () =>
    Effect.gen(function* () {
      const certificate = yield* leaf(yield* authority("CA"), { commonName: "localhost", dnsNames: ["localhost"] })
      const settings = { proxy_listen: [{ ...loopback, isTls: true, isHttp2: true }] }
      const { port, refuse } = yield* startProxy(oneRoute(1), { settings, certificate })
      refuse(licenseExpired)
      const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      const status = yield* Effect.promise(
        () =>
          new Promise((resolve, reject) => {
            const stream = session.request({ ":path": "/" })
            stream.on("response", (headers) => resolve(headers[":status"]))
            stream.on("error", reject)
          })
      )
      assert.strictEqual(status, 503)
    })
  )
})
