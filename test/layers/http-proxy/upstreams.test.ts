/** Connections to upstreams, retries and balancing: reference `proxy-behaviour.md` §4 to §7. */
import type { Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { configOf, get, id, oneRoute, post, send, startProxy, startRawUpstream, startUpstream } from "./support.ts"

const answerText = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/** Serves one request a connection and closes when the second one comes, as an idle limit does at the worst moment. */
const closesOnReuse = (seen: Array<string>) => (socket: Socket) => {
  let count = 0
  socket.on("data", (chunk) => {
    seen.push(chunk.toString().split(" ", 1)[0] ?? "")
    count++
    if (count === 1) socket.write(answerText)
    else socket.destroy()
  })
}

describe("§5 connections", () => {
  it.live("§5 are used again", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const { port } = yield* startProxy(oneRoute(upstream.port))
      for (let round = 0; round < 10; round++) assert.strictEqual((yield* get(port)).status, 200)
      assert.strictEqual((yield* post(port, "/", "body")).status, 200)
      assert.strictEqual(upstream.accepted(), 1)
    })
  )

  it.live("§5 are not kept when the pool has no room", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings: { upstream_keepalive_pool_size: 0 } })
      for (let round = 0; round < 3; round++) assert.strictEqual((yield* get(port)).status, 200)
      assert.strictEqual(upstream.accepted(), 3)
    })
  )

  it.live(
    "§4 an idle one that the upstream closes in the same moment fails no idempotent request, even without retries",
    () =>
      Effect.gen(function* () {
        const upstream = yield* startRawUpstream(closesOnReuse([]))
        const { port } = yield* startProxy(oneRoute(upstream.port, { retries: 0 }))
        for (let round = 0; round < 50; round++) assert.strictEqual((yield* get(port)).status, 200)
      })
  )

  it.live("§4 a request that may have done its work is not sent twice", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const upstream = yield* startRawUpstream(closesOnReuse(seen))
      const { port } = yield* startProxy(oneRoute(upstream.port, { retries: 5 }))
      assert.strictEqual((yield* get(port)).status, 200)
      assert.strictEqual((yield* Effect.promise(() => send(port, { method: "POST" }))).status, 502)
      assert.deepStrictEqual(seen, ["GET", "POST"])
    })
  )

  it.live("§5 an upstream that closes idle connections of its own accord under load fails nothing", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const { port } = yield* startProxy(oneRoute(upstream.port))
      for (let round = 0; round < 100; round++) {
        assert.strictEqual((yield* get(port)).status, 200)
        // At every point of the race between its closing and our next request.
        if (round % 3 === 0) for (const socket of upstream.sockets) socket.destroy()
        if (round % 3 === 1) for (const socket of upstream.sockets) setImmediate(() => socket.end())
      }
    })
  )
})

describe("§4 tries", () => {
  it.live("§4 retries is the number of further tries", () =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) => socket.on("data", () => socket.destroy()))
      const { port } = yield* startProxy(oneRoute(upstream.port, { retries: 2 }))
      assert.strictEqual((yield* get(port)).status, 502)
      assert.strictEqual(upstream.accepted(), 3)
    })
  )

  it.live("§4 a target that refuses connections costs a try, not the request, whatever the method", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => request.pipe(response))
      const gone = yield* Effect.scoped(startUpstream(() => undefined))
      const { port } = yield* startProxy(
        configOf({
          upstreams: [{ id: id(5), name: "pool" }],
          targets: [
            { id: id(6), upstream: id(5), target: `127.0.0.1:${gone.port}` },
            { id: id(7), upstream: id(5), target: `127.0.0.1:${upstream.port}` }
          ],
          services: [{ id: id(1), host: "pool" }],
          routes: [{ id: id(2), service: id(1), paths: ["/"] }]
        })
      )
      for (let round = 0; round < 4; round++) {
        const answer = yield* post(port, "/", "body")
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.body, "body")
      }
    })
  )
})

describe("§7 balancing", () => {
  it.live("§7 shares by weight; weight 0 gets nothing; Host is the target's", () =>
    Effect.gen(function* () {
      const upstreams = yield* Effect.forEach([0, 1, 2], (index) =>
        startUpstream((request, response) => response.end(`${index} ${request.headers.host}`))
      )
      const weights = [300, 100, 0]
      const { port } = yield* startProxy(
        configOf({
          upstreams: [{ id: id(5), name: "pool" }],
          targets: upstreams.map((upstream, index) => ({
            id: id(10 + index),
            upstream: id(5),
            target: `127.0.0.1:${upstream.port}`,
            weight: weights[index]
          })),
          services: [{ id: id(1), host: "pool", port: 9 }],
          routes: [{ id: id(2), service: id(1), paths: ["/"] }]
        })
      )
      const counts = [0, 0, 0]
      for (let round = 0; round < 40; round++) {
        const [index, host] = (yield* get(port)).body.split(" ")
        counts[Number(index)] = (counts[Number(index)] ?? 0) + 1
        assert.strictEqual(host, `127.0.0.1:${upstreams[Number(index)]?.port}`)
      }
      assert.deepStrictEqual(counts, [30, 10, 0])
    })
  )

  it.live("router.md §9 host_header of the upstream replaces the target's name", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => response.end(request.headers.host))
      const { port } = yield* startProxy(
        configOf({
          upstreams: [{ id: id(5), name: "pool", host_header: "inner.test" }],
          targets: [{ id: id(6), upstream: id(5), target: `127.0.0.1:${upstream.port}` }],
          services: [{ id: id(1), host: "pool" }],
          routes: [{ id: id(2), service: id(1), paths: ["/"] }]
        })
      )
      assert.strictEqual((yield* get(port)).body, `inner.test:${upstream.port}`)
    })
  )

  it.live("§6 a host that is a name is resolved", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => response.end(request.headers.host))
      const { port } = yield* startProxy(oneRoute(upstream.port, { host: "localhost" }))
      assert.strictEqual((yield* get(port)).body, `localhost:${upstream.port}`)
    })
  )
})
