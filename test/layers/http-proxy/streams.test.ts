/** Bodies in both directions: backpressure, and ends that come too early (`faults.md`: no truncated answer looks whole). */
import { randomBytes } from "node:crypto"
import http from "node:http"
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  get,
  oneRoute,
  readAll,
  send,
  sendRaw,
  signal,
  startProxy,
  startRawUpstream,
  startUpstream
} from "./support.ts"

const mebibyte = 1024 * 1024

/** The error with which a request fails. */
const failure = (attempt: Promise<unknown>): Effect.Effect<unknown> =>
  Effect.promise(() =>
    attempt.then(
      (value) => Promise.reject(new Error(`it went well: ${JSON.stringify(value)}`)),
      (error) => error
    )
  )

describe("bodies", () => {
  it.live("large ones go both ways unharmed", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => request.pipe(response))
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const body = randomBytes(8 * mebibyte)
      const echoed = yield* Effect.promise(
        () =>
          new Promise<Buffer>((resolve, reject) => {
            const request = http.request({ host: "127.0.0.1", port, method: "PUT", agent: false }, (answer) => {
              const chunks: Array<Buffer> = []
              answer.on("data", (chunk: Buffer) => chunks.push(chunk))
              answer.on("end", () => resolve(Buffer.concat(chunks)))
              answer.on("error", reject)
            })
            request.on("error", reject)
            request.end(body)
          })
      )
      assert.isTrue(echoed.equals(body))
    })
  )

  it.live("a client that does not read holds the upstream back", () =>
    Effect.gen(function* () {
      const stalled = signal<number>()
      const total = 256 * mebibyte
      const upstream = yield* startUpstream((_, response) => {
        response.writeHead(200, { "Content-Length": total })
        const chunk = Buffer.alloc(mebibyte)
        let sent = 0
        const more = () => {
          while (sent < total) {
            sent += chunk.length
            if (!response.write(chunk)) {
              // Whoever waits for this never to drain would wait for ever; what counts is that it is far from the end.
              const timer = setTimeout(() => stalled.tell(sent), 900)
              response.once("drain", () => {
                clearTimeout(timer)
                more()
              })
              return
            }
          }
          stalled.tell(sent)
        }
        more()
      })
      const { port } = yield* startProxy(oneRoute(upstream.port, { read_timeout: 300 }))
      const client = net.connect(port, "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
      client.on("error", () => undefined)
      client.pause()
      client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      const sent = yield* Effect.promise(() => stalled.done)
      assert.isBelow(sent, total / 2)
    })
  )

  it.live("the first bytes of an endless answer do not wait for the next", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => {
        response.writeHead(200, { "Content-Type": "text/event-stream" })
        response.flushHeaders()
      })
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const status = yield* Effect.promise(
        () =>
          new Promise((resolve, reject) => {
            const request = http.get({ host: "127.0.0.1", port, agent: false }, (answer) => {
              resolve(answer.headers["content-type"])
              answer.on("error", () => undefined)
              request.destroy()
            })
            request.on("error", reject)
          })
      )
      assert.strictEqual(status, "text/event-stream")
    })
  )

  it.live("an answer that comes before the request's body has ended is passed on, and the connection goes on", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => {
        if (request.method === "GET") response.end("next")
        else {
          response.writeHead(413)
          response.end("too large")
        }
      })
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
      const refused = yield* Effect.promise(() => send(port, { method: "POST", agent }, Buffer.alloc(4 * mebibyte)))
      assert.strictEqual(refused.status, 413)
      assert.strictEqual(refused.body, "too large")
      assert.strictEqual((yield* Effect.promise(() => send(port, { agent }))).body, "next")
    })
  )
})

describe("ends that come too early", () => {
  it.live.each([
    ["a length", "Content-Length: 100\r\n\r\nonly this"],
    ["chunks", "Transfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n"]
  ] as const)("an answer cut off breaks the client's connection: %s", ([, rest]) =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) =>
        socket.on("data", () => socket.end(`HTTP/1.1 200 OK\r\n${rest}`))
      )
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const error = yield* failure(send(port))
      assert.include(["ECONNRESET", "HPE_INVALID_EOF_STATE"], (error as NodeJS.ErrnoException).code)
    })
  )

  it.live("to a client of HTTP/1.0, for whom only a reset says it", () =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) =>
        socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n"))
      )
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const error = yield* Effect.promise(
        () =>
          new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
            const client = net.connect(port, "127.0.0.1", () => client.write("GET / HTTP/1.0\r\n\r\n"))
            client.resume()
            client.on("error", resolve)
            client.on("end", () => resolve(undefined))
          })
      )
      assert.strictEqual(error?.code, "ECONNRESET")
    })
  )

  it.live("an answer that ends with its connection is whole", () =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) =>
        socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it"))
      )
      const { port } = yield* startProxy(oneRoute(upstream.port))
      assert.strictEqual((yield* get(port)).body, "all of it")
    })
  )

  it.live("§4 an upstream that falls silent in mid-answer breaks it off", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => {
        response.writeHead(200, { "Content-Length": 100 })
        response.write("some")
      })
      const { port } = yield* startProxy(oneRoute(upstream.port, { read_timeout: 30 }))
      const error = yield* failure(send(port))
      assert.strictEqual((error as NodeJS.ErrnoException).code, "ECONNRESET")
    })
  )

  it.live("a client that leaves takes its request to the upstream along, before an answer", () =>
    Effect.gen(function* () {
      const arrived = signal()
      const aborted = signal()
      const upstream = yield* startUpstream((request) => {
        request.on("close", () => aborted.tell())
        arrived.tell()
      })
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port))
      const client = http.get({ host: "127.0.0.1", port, agent: false })
      client.on("error", () => undefined)
      yield* Effect.promise(() => arrived.done)
      assert.strictEqual(proxy.counts().inFlight, 1)
      client.destroy()
      yield* Effect.promise(() => aborted.done)
      assert.strictEqual(proxy.counts().inFlight, 0)
    })
  )

  it.live("and in the middle of one", () =>
    Effect.gen(function* () {
      const aborted = signal()
      const upstream = yield* startUpstream((_, response) => {
        response.on("close", () => aborted.tell())
        response.writeHead(200)
        response.write("begun")
      })
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const client = http.get({ host: "127.0.0.1", port, agent: false }, (answer) => {
        answer.on("error", () => undefined)
        answer.once("data", () => client.destroy())
      })
      client.on("error", () => undefined)
      yield* Effect.promise(() => aborted.done)
    })
  )

  it.live("and in the middle of its own body", () =>
    Effect.gen(function* () {
      const arrived = signal()
      const aborted = signal()
      const upstream = yield* startUpstream((request) => {
        request.once("data", () => arrived.tell())
        request.on("error", () => undefined)
        request.on("close", () => aborted.tell())
      })
      const { port } = yield* startProxy(oneRoute(upstream.port))
      const headers = { "Content-Length": 1000 }
      const client = http.request({ host: "127.0.0.1", port, method: "POST", headers, agent: false })
      client.on("error", () => undefined)
      client.write("some")
      yield* Effect.promise(() => arrived.done)
      client.destroy()
      yield* Effect.promise(() => aborted.done)
    })
  )
})

describe("§10 WebSocket", () => {
  const handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n"

  it.live("§10 becomes a tunnel once the upstream agrees", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end("no upgrade"))
      const raw = yield* startRawUpstream((socket) =>
        socket.once("data", (head) => {
          const isAsked = /connection: keep-alive, upgrade\r\nupgrade: websocket\r\n/i.test(head.toString())
          socket.write(`HTTP/1.1 ${isAsked ? 101 : 400} X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst`)
          socket.on("data", (chunk) => socket.end(`echo ${chunk}`))
        })
      )
      const { port, serve } = yield* startProxy(oneRoute(raw.port))
      const received = yield* Effect.promise(
        () =>
          new Promise<string>((resolve) => {
            let text = ""
            const client = net.connect(port, "127.0.0.1", () => client.write(handshake))
            client.on("data", (chunk) => {
              if (!text.includes("first") && chunk.toString().includes("first")) client.write("hello")
              text += chunk.toString()
            })
            client.on("end", () => client.end())
            client.on("close", () => resolve(text))
          })
      )
      assert.match(received, /^HTTP\/1\.1 101 X\r\n/)
      assert.match(received, /\r\nVia: 1\.1 kong\/3\.9\.0\r\n/)
      assert.match(received, /\r\n\r\nfirstecho hello$/)

      serve(oneRoute(upstream.port))
      const refused = yield* sendRaw(port, handshake)
      assert.match(refused, /^HTTP\/1\.1 200 OK\r\n/)
      assert.include(refused, "no upgrade")
      assert.match(yield* sendRaw((yield* startProxy()).port, handshake), /^HTTP\/1\.1 404 /)
    })
  )
})

describe("§10 idle WebSockets", () => {
  it.live("§10 end when read_timeout passes without a byte either way", () =>
    Effect.gen(function* () {
      const raw = yield* startRawUpstream((socket) =>
        socket.once("data", () => {
          socket.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        })
      )
      const { port } = yield* startProxy(oneRoute(raw.port, { read_timeout: 50 }))
      const handshake = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      assert.match(yield* sendRaw(port, handshake), /^HTTP\/1\.1 101 X\r\n/)
    })
  )
})

describe("one configuration a request", () => {
  it.live("what is swapped in meanwhile is for the next one", () =>
    Effect.gen(function* () {
      const arrived = signal()
      const release = signal()
      const old = yield* startUpstream((_, response) => {
        response.write("old ")
        arrived.tell()
        void release.done.then(() => response.end("to the end"))
      })
      const next = yield* startUpstream((_, response) => response.end("new"))
      const { port, serve } = yield* startProxy(oneRoute(old.port))
      const first = new Promise<string>((resolve, reject) => {
        http.get({ host: "127.0.0.1", port, agent: false }, (answer) => {
          readAll(answer).then(({ body }) => resolve(body), reject)
        })
      })
      yield* Effect.promise(() => arrived.done)
      serve(oneRoute(next.port))
      assert.strictEqual((yield* get(port)).body, "new")
      release.tell()
      assert.strictEqual(yield* Effect.promise(() => first), "old to the end")
    })
  )
})
