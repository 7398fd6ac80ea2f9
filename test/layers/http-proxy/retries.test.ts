/** What is tried again, and what never: reference `proxy-behaviour.md` §4, `router.md` §9. */
import { randomBytes } from "node:crypto"
import http from "node:http"
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Row } from "../../../src/model/Entity.ts"
import {
  configOf,
  get,
  id,
  oneRoute,
  send,
  signal,
  startProxy,
  startRawUpstream,
  startUpstream,
  type Upstream
} from "./support.ts"

/** Two targets, the first of which gets the first request. */
const pair = (first: Upstream, second: Upstream, service: Row = {}, route: Row = {}, weights = [100, 100]) =>
  configOf({
    upstreams: [{ id: id(5), name: "pool" }],
    targets: [first, second].map(({ port }, index) => ({
      id: id(6 + index),
      upstream: id(5),
      target: `127.0.0.1:${port}`,
      weight: weights[index]
    })),
    services: [{ id: id(1), host: "pool", ...service }],
    routes: [{ id: id(2), service: id(1), paths: ["/"], ...route }]
  })

/** Takes what it is sent up to so many bytes, then breaks off. */
const breaksAfter = (bytes: number) =>
  startRawUpstream((socket) => {
    let seen = 0
    socket.on("data", (chunk) => {
      seen += chunk.length
      if (seen >= bytes) socket.destroy()
    })
  })

/** Answers with what it was sent. */
const echo = () => startUpstream((request, response) => request.pipe(response))

const sendTo = (port: number, method: string, body: Buffer | string) =>
  Effect.promise(() => send(port, { method, headers: { "Transfer-Encoding": "chunked" } }, body))

describe("§4 bodies that are sent again", () => {
  it.live.each([0, 1, 60_000, 65_536])(
    "§4 an idempotent request with a body of %s bytes goes to the next target",
    (size) =>
      Effect.gen(function* () {
        const next = yield* echo()
        const { port } = yield* startProxy(pair(yield* breaksAfter(Math.max(1, size)), next))
        const body = randomBytes(size)
          .toString("latin1")
          .replace(/[^ -~]/g, "x")
        const answer = yield* sendTo(port, "PUT", body)
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.body, body)
        assert.strictEqual(next.accepted(), 1)
      })
  )

  it.live("§4 one that an idle connection lost is sent again even without retries", () =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) => {
        let count = 0
        socket.on("data", (chunk) => {
          if (!/^(GET|PUT) /.test(chunk.toString())) return
          count++
          if (count === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
          else socket.destroy()
        })
      })
      const { port } = yield* startProxy(oneRoute(upstream.port, { retries: 0 }))
      for (let round = 0; round < 5; round++) assert.strictEqual((yield* get(port)).status, 200)
      const put = { method: "PUT", headers: { "Content-Length": 4 } }
      assert.strictEqual((yield* Effect.promise(() => send(port, put, "body"))).status, 200)
    })
  )

  it.live("§4 what comes of a body while the next connection is made follows what came before", () =>
    Effect.gen(function* () {
      const broken = signal()
      const first = yield* startRawUpstream((socket) => {
        socket.once("data", () => {
          socket.destroy()
          broken.tell()
        })
      })
      const { port } = yield* startProxy(pair(first, yield* echo()))
      const answer = yield* Effect.promise(
        () =>
          new Promise<string>((resolve, reject) => {
            const request = http.request({ host: "127.0.0.1", port, method: "PUT", agent: false }, (received) => {
              let text = ""
              received.on("data", (chunk) => {
                text += chunk
              })
              received.on("end", () => resolve(text))
            })
            request.on("error", reject)
            request.write("one ")
            void broken.done.then(() => {
              request.write("two ")
              setImmediate(() => request.end("three"))
            })
          })
      )
      assert.strictEqual(answer, "one two three")
    })
  )

  it.live("§4 beyond 64 KiB there is no second try", () =>
    Effect.gen(function* () {
      const next = yield* echo()
      const { port } = yield* startProxy(pair(yield* breaksAfter(65_537), next))
      assert.strictEqual((yield* sendTo(port, "PUT", Buffer.alloc(100_000))).status, 502)
      assert.strictEqual(next.accepted(), 0)
    })
  )

  it.live("router.md §9 request_buffering=false keeps nothing", () =>
    Effect.gen(function* () {
      const next = yield* echo()
      const { port } = yield* startProxy(pair(yield* breaksAfter(1), next, {}, { request_buffering: false }))
      assert.strictEqual((yield* sendTo(port, "PUT", "body")).status, 502)
      assert.strictEqual(next.accepted(), 0)
    })
  )

  it.live.each(["POST", "PATCH", "LOCK"])("§4 %s is not sent twice, with a body or without", (method) =>
    Effect.gen(function* () {
      const next = yield* echo()
      const first = yield* breaksAfter(1)
      const { port, serve } = yield* startProxy(pair(first, next))
      assert.strictEqual((yield* sendTo(port, method, "body")).status, 502)
      serve(pair(first, next))
      assert.strictEqual((yield* Effect.promise(() => send(port, { method }))).status, 502)
      assert.strictEqual(next.accepted(), 0)
    })
  )

  it.live.each(["GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND"])("§4 %s is sent again", (method) =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(pair(yield* breaksAfter(1), yield* echo()))
      assert.strictEqual((yield* Effect.promise(() => send(port, { method }))).status, 200)
    })
  )

  it.live("§4 100-continue is said once, whatever the number of tries", () =>
    Effect.gen(function* () {
      const { port } = yield* startProxy(pair(yield* breaksAfter(1), yield* echo()))
      const text = yield* Effect.promise(
        () =>
          new Promise<string>((resolve) => {
            let received = ""
            const client = net.connect(port, "127.0.0.1", () =>
              client.write("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            )
            client.on("data", (chunk) => {
              if (received === "") client.write("body")
              received += chunk
              if (received.includes("body\r\n0")) client.destroy()
            })
            client.on("close", () => resolve(received))
          })
      )
      assert.lengthOf(text.match(/100 Continue/g) ?? [], 1)
      assert.include(text, "HTTP/1.1 200 OK")
    })
  )
})

describe("§4 tries", () => {
  it.live("§4 a target that has just failed is avoided while there are others, whatever its weight", () =>
    Effect.gen(function* () {
      const first = yield* breaksAfter(1)
      const { port } = yield* startProxy(pair(first, yield* echo(), { retries: 1 }, {}, [1000, 1]))
      for (let round = 0; round < 10; round++) assert.strictEqual((yield* get(port)).status, 200)
    })
  )

  it.live("§4 when all have failed they are tried again, to the number of retries", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* breaksAfter(1), yield* breaksAfter(1)]
      const { port } = yield* startProxy(pair(first, second, { retries: 4 }))
      assert.strictEqual((yield* get(port)).status, 502)
      assert.strictEqual(first.accepted() + second.accepted(), 5)
    })
  )

  it.live("§4 Host follows the target", () =>
    Effect.gen(function* () {
      const next = yield* startUpstream((request, response) => response.end(request.headers.host))
      const { port } = yield* startProxy(pair(yield* breaksAfter(1), next))
      assert.strictEqual((yield* get(port)).body, `127.0.0.1:${next.port}`)
    })
  )

  it.live("§4 a target that answers with an error has answered: statuses are not tried again", () =>
    Effect.gen(function* () {
      const first = yield* startUpstream((_, response) => {
        response.statusCode = 503
        response.end("busy")
      })
      const next = yield* echo()
      const { port } = yield* startProxy(pair(first, next))
      assert.strictEqual((yield* get(port)).status, 503)
      assert.strictEqual(next.accepted(), 0)
    })
  )

  it.live("§4 read_timeout before an answer costs a try, and the last one is a 504", () =>
    Effect.gen(function* () {
      const silent = yield* startUpstream(() => undefined)
      const { port, serve } = yield* startProxy(pair(silent, yield* echo(), { read_timeout: 30 }))
      assert.strictEqual((yield* get(port)).status, 200)
      serve(pair(silent, yield* startUpstream(() => undefined), { read_timeout: 30, retries: 1 }))
      assert.strictEqual((yield* get(port)).status, 504)
    })
  )

  it.live("§4 write_timeout: an upstream that takes no more of the body is a 504", () =>
    Effect.gen(function* () {
      const deaf = yield* startRawUpstream((socket) => socket.pause())
      const { port } = yield* startProxy(
        configOf({
          services: [{ id: id(1), host: "127.0.0.1", port: deaf.port, retries: 0, write_timeout: 50 }],
          routes: [{ id: id(2), service: id(1), paths: ["/"] }]
        })
      )
      const status = yield* Effect.promise(
        () =>
          new Promise<number>((resolve, reject) => {
            const length = 64 * 1024 * 1024
            const headers = { "Content-Length": length }
            const options = { host: "127.0.0.1", port, method: "POST", headers, agent: false as const }
            const request = http.request(options, (answer) => {
              resolve(answer.statusCode ?? 0)
              request.destroy()
            })
            request.on("error", reject)
            request.write(Buffer.alloc(length))
          })
      )
      assert.strictEqual(status, 504)
    })
  )
})
