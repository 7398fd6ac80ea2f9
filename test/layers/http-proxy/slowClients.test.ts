/** Clients that stop or vanish: reference `proxy-behaviour.md` §3, §4. */
import { once } from "node:events"
import http2 from "node:http2"
import net, { type AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { endSessions } from "../../../src/layers/http-proxy/slowClients.ts"
import { authority, leaf } from "../../support/pki.ts"
import { listening, loopback, oneRoute, sendRaw, signal, startProxy, startUpstream } from "./support.ts"

const limits = { client_body_timeout: 0.2, send_timeout: 0.2 }
const mebibyte = 1024 * 1024

/** Reads all of a request before it answers. */
const reader = (onGone: () => void) =>
  startUpstream((request, response) => {
    request.on("error", () => undefined)
    request.on("close", () => {
      if (!request.complete) onGone()
    })
    request.resume()
    request.on("end", () => response.end("whole"))
  })

/** Answers with more than any buffer on the way holds, and tells when its client left early. */
const flood = (onGone: () => void) =>
  startUpstream((_, response) => {
    response.on("close", () => {
      if (!response.writableFinished) onGone()
    })
    response.end(Buffer.alloc(64 * mebibyte))
  })

const secure = Effect.gen(function* () {
  const certificate = yield* leaf(yield* authority("CA"), { commonName: "localhost", dnsNames: ["localhost"] })
  return { certificate, settings: { ...limits, proxy_listen: [{ ...loopback, isTls: true, isHttp2: true }] } }
})

const connect2 = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })),
    (session) => Effect.sync(() => session.destroy())
  )

describe("client_body_timeout", () => {
  it.live("§3 an upload that stops is answered 408; the connection and the upstream's request end", () =>
    Effect.gen(function* () {
      const gone = signal()
      const upstream = yield* reader(() => gone.tell())
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port), { settings: limits })
      const text = yield* sendRaw(port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
      assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*Connection: close\r\n[\s\S]*Request timeout/)
      yield* Effect.promise(() => gone.done)
      assert.strictEqual(proxy.counts().inFlight, 0)
    })
  )

  it.live("§3 over HTTP/2 an answer of the gateway's ends the stream of a request that does not end", () =>
    Effect.gen(function* () {
      const { port, proxy } = yield* startProxy(undefined, yield* secure)
      const session = yield* connect2(port)
      const stream = session.request({ ":path": "/", ":method": "POST" })
      stream.resume()
      stream.write("abc")
      yield* Effect.promise(() => once(stream, "close"))
      assert.strictEqual(proxy.counts().inFlight, 0)
    })
  )

  it.live("§3 over HTTP/2 an upload that stops after its answer is not kept", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => {
        request.on("error", () => undefined)
        response.end("early")
      })
      const { port } = yield* startProxy(oneRoute(upstream.port), yield* secure)
      const session = yield* connect2(port)
      const stream = session.request({ ":path": "/", ":method": "POST" })
      stream.on("error", () => undefined)
      stream.resume()
      stream.write("abc")
      const closed = signal()
      stream.on("close", () => closed.tell())
      yield* Effect.promise(() => closed.done)
    })
  )

  it.live("§3 over HTTP/2 the stream ends", () =>
    Effect.gen(function* () {
      const gone = signal()
      const upstream = yield* reader(() => gone.tell())
      const { port } = yield* startProxy(oneRoute(upstream.port), yield* secure)
      const session = yield* connect2(port)
      const status = yield* Effect.promise(
        () =>
          new Promise((resolve, reject) => {
            const stream = session.request({ ":path": "/", ":method": "POST" })
            let seen: unknown
            stream.on("response", (headers) => {
              seen = headers[":status"]
            })
            stream.on("error", reject)
            stream.on("close", () => resolve(seen))
            stream.resume()
            stream.write("abc")
          })
      )
      assert.strictEqual(status, 408)
      yield* Effect.promise(() => gone.done)
    })
  )

  it.live("§4 counts the time between two pieces, not the whole", () =>
    Effect.gen(function* () {
      const upstream = yield* reader(() => undefined)
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings: { ...limits, client_body_timeout: 0.5 } })
      const text = yield* Effect.promise(
        () =>
          new Promise<string>((resolve) => {
            const client = net.connect(port, "127.0.0.1")
            client.on("data", (chunk) => {
              resolve(String(chunk))
              client.destroy()
            })
            client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
            let sent = 0
            const timer = setInterval(() => {
              client.write("x")
              if (++sent === 9) clearInterval(timer)
            }, 80)
          })
      )
      assert.match(text, /^HTTP\/1\.1 200/)
    })
  )
})

describe("send_timeout", () => {
  it.live("§4 a client that stops reading loses its connection, and the upstream's request ends", () =>
    Effect.gen(function* () {
      const gone = signal()
      const upstream = yield* flood(() => gone.tell())
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port), { settings: limits })
      const client = net.connect(port, "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
      client.on("error", () => undefined)
      client.pause()
      client.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
      yield* Effect.promise(() => gone.done)
      assert.strictEqual(proxy.counts().inFlight, 0)
    })
  )

  it.live("§4 over HTTP/2 the stream alone", () =>
    Effect.gen(function* () {
      const gone = signal()
      const upstream = yield* flood(() => gone.tell())
      const { port } = yield* startProxy(oneRoute(upstream.port), yield* secure)
      const session = yield* connect2(port)
      const stream = session.request({ ":path": "/" })
      stream.on("error", () => undefined)
      stream.pause()
      yield* Effect.promise(() => gone.done)
      assert.isFalse(session.closed)
    })
  )
})

/** A client that asks over HTTP/2, by hand: preface, settings, and `GET / http`; it answers no ping, and writes no more by itself. */
const askOnce = Effect.fnUntraced(function* (server: http2.Http2Server) {
  const socket = net.connect((server.address() as AddressInfo).port, "127.0.0.1")
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
  const connectionEnded = once(socket, "close")
  socket.on("error", () => undefined).resume()
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
  const headers = Buffer.from([0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x01, 1, 97])
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings, headers]))
  return { socket, connectionEnded }
})

describe("idle HTTP/2 connections", () => {
  it.live("are closed after the limit, not while something is under way", () =>
    Effect.gen(function* () {
      const server = http2.createServer((_, response) => void setTimeout(() => response.end("late"), 300))
      endSessions(server, 100)
      yield* listening(server as unknown as net.Server)
      const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      const closed = signal()
      session.on("close", () => closed.tell())
      const body = yield* Effect.promise(
        () =>
          new Promise<string>((resolve, reject) => {
            let text = ""
            const stream = session.request({ ":path": "/" })
            stream.on("data", (chunk) => {
              text += chunk
            })
            stream.on("error", reject)
            stream.on("end", () => resolve(text))
          })
      )
      assert.strictEqual(body, "late")
      yield* Effect.promise(() => closed.done)
    })
  )

  it.live(
    "end with all that is under way when the client answers no ping: Node does not hear of every client that is gone",
    () =>
      Effect.gen(function* () {
        const server = http2.createServer((_, response) => {
          response.on("close", () => streamEnded.tell())
          response.write("first of many")
        })
        const streamEnded = signal()
        endSessions(server, 100)
        const { sockets } = yield* listening(server as unknown as net.Server)
        const { connectionEnded } = yield* askOnce(server)
        yield* Effect.promise(() => streamEnded.done)
        yield* Effect.promise(() => connectionEnded)
        assert.strictEqual(sockets.size, 0)
      })
  )

  it.live("stay open while the client takes what it is sent, though a ping waits behind that", () =>
    Effect.gen(function* () {
      const server = http2.createServer((_, response) => response.write("first of many"))
      endSessions(server, 50)
      yield* listening(server as unknown as net.Server)
      const { socket, connectionEnded } = yield* askOnce(server)
      // WINDOW_UPDATE: room for one byte more. No ping is ever answered.
      const moreRoom = Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1])
      const taking = setInterval(() => socket.write(moreRoom), 10)
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 600)))
      assert.isFalse(socket.closed)
      clearInterval(taking)
      yield* Effect.promise(() => connectionEnded)
    })
  )

  it.live("stay open with what is under way while the client answers, however long it takes", () =>
    Effect.gen(function* () {
      const server = http2.createServer((_, response) => void setTimeout(() => response.end("late"), 500))
      endSessions(server, 50)
      yield* listening(server as unknown as net.Server)
      const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      let pings = 0
      session.on("ping", () => pings++)
      const stream = session.request({ ":path": "/" })
      stream.setEncoding("utf8")
      const body = yield* Effect.promise(() => stream.toArray())
      assert.deepStrictEqual(body, ["late"])
      assert.isAbove(pings, 2)
    })
  )
})
