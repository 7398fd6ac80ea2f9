/** Where the proxy listens, with which certificate, and how it stops. */
import type http from "node:http"
import http2 from "node:http2"
import https from "node:https"
import net from "node:net"
import tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { layer as generatedLayer } from "../../../src/layers/credentials/GeneratedServerCertificate.ts"
import * as NodeDisk from "../../../src/layers/NodeDisk.ts"
import type { SettingValues } from "../../../src/model/SettingTable.ts"
import { type CertificatePair, ServerCertificate } from "../../../src/services/ServerCertificate.ts"
import { Settings } from "../../../src/services/Settings.ts"
import {
  configOf,
  get,
  id,
  loopback,
  oneRoute,
  post,
  readAll,
  sendRaw,
  signal,
  startProxy,
  startUpstream
} from "./support.ts"

const fallbackFor = (settings: Partial<SettingValues>) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      generatedLayer.pipe(Layer.provide([Layer.succeed(Settings, settings as SettingValues), NodeDisk.layer]))
    )
    return yield* Context.get(context, ServerCertificate).fallback
  })

const secure = { ...loopback, isTls: true }

/** The certificate that a client with this server name is shown, as PEM. */
const shownTo = (port: number, servername: string): Effect.Effect<string> =>
  Effect.promise(
    () =>
      new Promise((resolve, reject) => {
        const socket = tls.connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false }, () => {
          resolve(socket.getPeerX509Certificate()?.toString() ?? "")
          socket.destroy()
        })
        socket.on("error", reject)
      })
  )

const httpsGet = (port: number, servername: string, headers: http.OutgoingHttpHeaders = {}) =>
  Effect.promise(
    () =>
      new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
        const options = {
          host: "127.0.0.1",
          port,
          servername,
          headers,
          rejectUnauthorized: false,
          agent: false as const
        }
        https.get(options, (answer) => void readAll(answer).then(resolve, reject)).on("error", reject)
      })
  )

describe("TLS", () => {
  const withSni = (port: number, { cert, key }: CertificatePair) =>
    configOf({
      certificates: [
        { id: id(8), cert, key },
        { id: id(9), cert: "-----BEGIN CERTIFICATE-----\nbroken", key }
      ],
      snis: [
        { id: id(10), name: "*.known.test", certificate: id(8) },
        { id: id(11), name: "broken.test", certificate: id(9) }
      ],
      services: [{ id: id(1), host: "127.0.0.1", port }],
      routes: [{ id: id(2), service: id(1), protocols: ["https"], snis: ["*.known.test"], paths: ["/"] }]
    })

  it.live(
    "config-model.md §3 shows the certificate of the server name, else the default one; a broken one too leaves the default",
    () =>
      Effect.gen(function* () {
        const known = yield* fallbackFor({})
        const fallback = yield* fallbackFor({})
        const upstream = yield* startUpstream((request, response) => response.end(request.headers["x-forwarded-proto"]))
        const settings = { proxy_listen: [secure] }
        const { port, proxy } = yield* startProxy(withSni(upstream.port, known), { settings, certificate: fallback })
        assert.strictEqual(proxy.addresses[0]?.isTls, true)
        assert.strictEqual((yield* shownTo(port, "a.known.test")).trim(), known.cert.trim())
        assert.strictEqual((yield* shownTo(port, "other.test")).trim(), fallback.cert.trim())
        assert.strictEqual((yield* shownTo(port, "broken.test")).trim(), fallback.cert.trim())
        const answer = yield* httpsGet(port, "a.known.test")
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.body, "https")
        assert.strictEqual((yield* httpsGet(port, "other.test")).status, 404)
      })
  )

  it.live("§10 speaks HTTP/2 where the listener says so, and HTTP/1.1 with whoever does not", () =>
    Effect.gen(function* () {
      const certificate = yield* fallbackFor({})
      const upstream = yield* startUpstream((request, response) => {
        response.setHeader("Set-Cookie", ["a=1", "b=2"])
        response.setHeader("X-Via", String(request.headers.via))
        response.setHeader("X-Cookie", String(request.headers.cookie))
        request.pipe(response)
      })
      const settings = { proxy_listen: [{ ...secure, isHttp2: true }] }
      const { port } = yield* startProxy(
        oneRoute(upstream.port, {}, { hosts: ["h.test"], headers: { "x-kind": ["two", "one"] } }),
        { settings, certificate }
      )
      const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      const headers = {
        ":method": "POST",
        ":path": "/x?y",
        ":authority": "h.test",
        "x-kind": "two",
        cookie: ["c=1", "d=2"]
      }
      const answer = yield* Effect.promise(
        () =>
          new Promise<{ readonly head: http2.IncomingHttpHeaders; readonly body: string }>((resolve, reject) => {
            const stream = session.request(headers)
            let head: http2.IncomingHttpHeaders = {}
            let body = ""
            stream.on("response", (received) => {
              head = received
            })
            stream.on("data", (chunk) => {
              body += chunk
            })
            stream.on("end", () => resolve({ head, body }))
            stream.on("error", reject)
            stream.end("body over two")
          })
      )
      assert.strictEqual(Number(answer.head[":status"]), 200)
      assert.strictEqual(answer.body, "body over two")
      assert.deepStrictEqual(answer.head["set-cookie"], ["a=1", "b=2"])
      assert.strictEqual(answer.head["x-via"], "2 kong/3.9.0")
      assert.strictEqual(answer.head["x-cookie"], "c=1; d=2")
      assert.strictEqual((yield* httpsGet(port, "h.test", { Host: "h.test", "X-Kind": "one" })).status, 200)
      assert.strictEqual((yield* httpsGet(port, "h.test")).status, 404)
    })
  )

  it.live("§10 an answer cut off ends an HTTP/2 stream with an error", () =>
    Effect.gen(function* () {
      const certificate = yield* fallbackFor({})
      const upstream = yield* startUpstream((_, response) => {
        response.write("some")
        setImmediate(() => response.destroy())
      })
      const settings = { proxy_listen: [{ ...secure, isHttp2: true }] }
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings, certificate })
      const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      const code = yield* Effect.promise(
        () =>
          new Promise<number>((resolve) => {
            const stream = session.request({ ":path": "/" })
            stream.on("error", () => undefined)
            stream.resume()
            stream.on("close", () => resolve(stream.rstCode))
          })
      )
      assert.strictEqual(code, http2.constants.NGHTTP2_INTERNAL_ERROR)
    })
  )
})

describe("addresses", () => {
  it.live("several at once, each with the port that it got", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startProxy(undefined, { settings: { proxy_listen: [loopback, loopback] } })
      const ports = proxy.addresses.map(({ port }) => port)
      assert.strictEqual(new Set(ports).size, 2)
      for (const port of ports) assert.strictEqual((yield* get(port)).status, 404)
    })
  )

  it.live("those in use are all told, and nothing stays open", () =>
    Effect.gen(function* () {
      const taken = yield* startUpstream(() => undefined)
      const free = yield* Effect.scoped(startUpstream(() => undefined))
      const at = (port: number) => ({ ...loopback, port })
      const settings = { proxy_listen: [at(taken.port), at(free.port), at(taken.port)] }
      const error = yield* Effect.flip(Effect.scoped(startProxy(undefined, { settings })))
      assert.strictEqual(error.exitCode, 1)
      const line = `proxy_listen: expected a free address, but it is in use, got "127.0.0.1:${taken.port}"`
      assert.strictEqual(error.message, `${line}\n${line}`)
      const again = yield* startProxy(undefined, { settings: { proxy_listen: [at(free.port)] } })
      assert.strictEqual(again.port, free.port)
    })
  )

  it.live("requests and connections are counted", () =>
    Effect.gen(function* () {
      const { port, proxy } = yield* startProxy()
      yield* get(port)
      yield* get(port)
      const { accepted, inFlight, requests } = proxy.counts()
      assert.deepStrictEqual({ accepted, inFlight, requests }, { accepted: 2, inFlight: 0, requests: 2 })
    })
  )
})

describe("draining", () => {
  /** A client that keeps its connection, and what it was sent. */
  const keptConnection = (port: number) =>
    Effect.promise(
      () =>
        new Promise<net.Socket>((resolve, reject) => {
          const socket = net.connect(port, "127.0.0.1", () => resolve(socket))
          socket.on("error", reject)
        })
    )

  const refuses = (port: number) =>
    Effect.promise(
      () =>
        new Promise<boolean>((resolve) => {
          const socket = net.connect(port, "127.0.0.1", () => {
            socket.destroy()
            resolve(false)
          })
          socket.on("error", () => resolve(true))
        })
    )

  it.live("lets what is in flight finish, with a word that the connection ends; accepts nothing new", () =>
    Effect.gen(function* () {
      const arrived = signal()
      const release = signal()
      const upstream = yield* startUpstream((_, response) => {
        arrived.tell()
        void release.done.then(() => response.end("done"))
      })
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port), { settings: { drain_timeout: 30 } })
      const idle = yield* keptConnection(port)
      const idleClosed = signal()
      idle.on("close", () => idleClosed.tell())
      const busy = yield* Effect.forkChild(sendRaw(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), {
        startImmediately: true
      })
      yield* Effect.promise(() => arrived.done)
      const drained = yield* Effect.forkChild(proxy.drain, { startImmediately: true })
      assert.isTrue(yield* refuses(port))
      release.tell()
      const answer = yield* Fiber.join(busy)
      assert.match(answer, /^HTTP\/1\.1 200 /)
      assert.match(answer, /\r\nConnection: close\r\n/)
      assert.match(answer, /done/)
      yield* Fiber.join(drained)
      yield* Effect.promise(() => idleClosed.done)
      assert.strictEqual(proxy.counts().inFlight, 0)
    })
  )

  it.live("ends what does not finish in time; so does the end of the scope", () =>
    Effect.gen(function* () {
      const arrived = signal()
      const aborted = signal()
      const upstream = yield* startUpstream((_, response) => {
        response.on("close", () => aborted.tell())
        arrived.tell()
      })
      const scope = yield* Scope.make()
      const settings = { drain_timeout: 0.05 }
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings }).pipe(Scope.provide(scope))
      const busy = yield* Effect.forkChild(sendRaw(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), {
        startImmediately: true
      })
      yield* Effect.promise(() => arrived.done)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(busy), "")
      yield* Effect.promise(() => aborted.done)
      assert.isTrue(yield* refuses(port))
    })
  )

  it.live("nothing in flight, nothing to wait for", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => request.pipe(response))
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port), { settings: { drain_timeout: 3600 } })
      yield* post(port, "/", "x")
      yield* proxy.drain
      yield* proxy.drain
      assert.isTrue(yield* refuses(port))
    })
  )
})
