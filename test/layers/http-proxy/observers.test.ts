/** What observers hear of a request, and that they hear of each exactly once. */
import http from "node:http"
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ObservedRequest } from "../../../src/services/RequestObservers.ts"
import { configOf, get, id, oneRoute, send, startProxy, startRawUpstream, startUpstream } from "./support.ts"

const facts = (request: ObservedRequest) => ({
  route: request.compiled?.route.id,
  status: request.status,
  source: request.source,
  sent: request.requestBodyBytes,
  got: request.responseBodyBytes
})

const recorder = () => {
  const heard: Array<ReturnType<typeof facts>> = []
  const times: Array<{ readonly proxyMs: number; readonly upstreamMs: number; readonly wholeMs: number }> = []
  const observe = (request: ObservedRequest): void => {
    heard.push(facts(request))
    const { proxyMs, upstreamMs, startedAtMs, endedAtMs } = request
    times.push({ proxyMs, upstreamMs, wholeMs: endedAtMs - startedAtMs })
  }
  return { heard, times, observe }
}

/** Observers hear when the connection is done with a request, which may be after the client has its answer. */
const until = (holds: () => boolean) =>
  Effect.promise(async () => {
    for (let left = 500; left > 0 && !holds(); left--) await new Promise((resolve) => setTimeout(resolve, 10))
  })

describe("observers of requests", () => {
  it.live("hear of an answer of the upstream's, with bodies and times", () =>
    Effect.gen(function* () {
      const { heard, times, observe } = recorder()
      const upstream = yield* startUpstream((request, response) => request.pipe(response))
      const { port } = yield* startProxy(oneRoute(upstream.port), { observers: [observe] })
      yield* Effect.promise(() => send(port, { method: "POST" }, "12345"))
      yield* until(() => heard.length > 0)
      assert.deepStrictEqual(heard, [{ route: id(2), status: 200, source: "service", sent: 5, got: 5 }])
      const [time] = times
      assert.isTrue(time !== undefined && time.proxyMs >= 0 && time.upstreamMs > 0)
      assert.isTrue(time !== undefined && time.wholeMs >= time.proxyMs + time.upstreamMs)
    })
  )

  it.live("hear of the gateway's own answers: no route, no service, a broken upstream after its tries", () =>
    Effect.gen(function* () {
      const { heard, times, observe } = recorder()
      const broken = yield* startRawUpstream((socket) => void socket.destroy())
      const config = configOf({
        services: [{ id: id(1), host: "127.0.0.1", port: broken.port, retries: 3 }],
        routes: [
          { id: id(2), service: id(1), paths: ["/broken"] },
          { id: id(3), paths: ["/serviceless"] }
        ]
      })
      const { port } = yield* startProxy(config, { observers: [observe] })
      for (const path of ["/nowhere", "/serviceless", "/broken"]) yield* get(port, path)
      yield* until(() => heard.length === 3)
      assert.deepStrictEqual(
        heard.map(({ route, status, source }) => [route, status, source]),
        [
          [undefined, 404, "error"],
          [id(3), 503, "error"],
          [id(2), 502, "error"]
        ]
      )
      assert.deepStrictEqual(
        times.map(({ upstreamMs }) => upstreamMs >= 0),
        [false, false, true]
      )
    })
  )

  it.live("hear of a client that leaves before it is answered, as 499, and of a WebSocket when it ends, as 101", () =>
    Effect.gen(function* () {
      const { heard, observe } = recorder()
      const silent = yield* startRawUpstream((socket) => {
        socket.once("data", (bytes) => {
          if (!bytes.toString().includes("Upgrade: websocket")) return
          socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        })
      })
      const { port } = yield* startProxy(oneRoute(silent.port), { observers: [observe] })
      const leaving = http.get({ port, host: "127.0.0.1", path: "/" })
      leaving.on("error", () => undefined)
      yield* until(() => silent.sockets.size === 1)
      leaving.destroy()
      yield* until(() => heard.length === 1)
      const socket = net.connect(port, "127.0.0.1")
      const opened = new Promise<void>((resolve) => socket.once("data", () => resolve()))
      socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      yield* Effect.promise(() => opened)
      assert.strictEqual(heard.length, 1)
      socket.destroy()
      yield* until(() => heard.length === 2)
      assert.deepStrictEqual(
        heard.map(({ status }) => status),
        [499, 101]
      )
    })
  )

  it.live("hear before the drain is over of what it cut off: requests that took too long, and WebSockets", () =>
    Effect.gen(function* () {
      const { heard, observe } = recorder()
      const upstream = yield* startRawUpstream((socket) => {
        socket.once("data", (bytes) => {
          if (!bytes.toString().includes("Upgrade: websocket")) return
          socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        })
      })
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port), {
        observers: [observe],
        settings: { drain_timeout: 0.05 }
      })
      const slow = http.get({ port, host: "127.0.0.1", path: "/" })
      slow.on("error", () => undefined)
      yield* until(() => upstream.sockets.size === 1)
      const socket = net.connect(port, "127.0.0.1")
      const opened = new Promise<void>((resolve) => socket.once("data", () => resolve()))
      socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      yield* Effect.promise(() => opened)
      yield* proxy.drain
      assert.sameMembers(
        heard.map(({ status }) => status),
        [499, 101]
      )
    })
  )

  it.live("hear of what a drain had to break off before it says that it is done: what is counted then is all", () =>
    Effect.gen(function* () {
      const { heard, observe } = recorder()
      let asked = 0
      const silent = yield* startUpstream((request, response) => {
        asked++
        if (request.url === "/half") response.write("half")
      })
      const settings = { drain_timeout: 0.05 }
      const { port, proxy } = yield* startProxy(oneRoute(silent.port), { observers: [observe], settings })
      for (const path of ["/none", "/half"]) {
        const request = http.get({ port, host: "127.0.0.1", path, agent: false }, (answer) => {
          answer.on("error", () => undefined).resume()
        })
        request.on("error", () => undefined)
      }
      yield* until(() => asked === 2)
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
      yield* proxy.drain
      assert.deepStrictEqual(heard.map(({ status }) => status).sort(), [200, 499])
      assert.strictEqual(proxy.counts().inFlight, 0)
    })
  )

  it.live("hear of a pipelined request whose turn never comes, before an upgrade that never comes either", () =>
    Effect.gen(function* () {
      const { heard, observe } = recorder()
      const asked: Array<string | undefined> = []
      const upstream = yield* startUpstream((request, response) => {
        asked.push(request.url)
        if (request.url === "/second") response.end("ok")
        else {
          response.writeHead(200, { "Content-Length": 9 }).write("part")
          setTimeout(() => response.destroy(), 100)
        }
      })
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port, {}, { strip_path: false }), {
        observers: [observe]
      })
      const socket = net.connect(port, "127.0.0.1")
      const isClosed = new Promise((resolve) => socket.once("close", resolve))
      socket.on("error", () => undefined).resume()
      const upgrade = "GET /third HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      socket.write(`GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n${upgrade}`)
      yield* Effect.promise(() => isClosed)
      yield* until(() => heard.length === 2)
      assert.deepStrictEqual(asked, ["/first", "/second"])
      assert.deepStrictEqual(
        heard.map(({ status }) => status),
        [200, 200]
      )
      assert.deepStrictEqual([proxy.counts().inFlight, proxy.counts().active], [0, 0])
    })
  )

  it.live("one that throws keeps neither the client from its answer nor the next observer from hearing", () =>
    Effect.gen(function* () {
      const { heard, observe } = recorder()
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const failing = () => {
        throw new Error("defect")
      }
      const { port } = yield* startProxy(oneRoute(upstream.port), { observers: [failing, observe] })
      const { status } = yield* get(port)
      yield* until(() => heard.length === 1)
      assert.strictEqual(status, 200)
      assert.strictEqual(heard.length, 1)
    })
  )
})
