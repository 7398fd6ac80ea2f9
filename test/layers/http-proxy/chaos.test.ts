/** Whatever the two sides do to each other, the proxy ends with nothing open and nothing under way. */
import http from "node:http"
import type { Socket } from "node:net"
import { assert, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import fc from "fast-check"
import { get, oneRoute, startProxy, startRawUpstream } from "./support.ts"

const upstreamActs = [
  "answers",
  "answers in chunks",
  "says nothing",
  "closes at once",
  "closes in its head",
  "closes in its body",
  "talks nonsense",
  "answers and closes"
] as const
const clientActs = ["waits", "leaves at once", "leaves on the head", "leaves in its own body"] as const

type UpstreamAct = (typeof upstreamActs)[number]
type ClientAct = (typeof clientActs)[number]

const performances: Readonly<Record<UpstreamAct, (socket: Socket) => void>> = {
  answers: (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
  "answers in chunks": (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    setImmediate(() => socket.write("0\r\n\r\n"))
  },
  "says nothing": () => undefined,
  "closes at once": (socket) => socket.destroy(),
  "closes in its head": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-"),
  "closes in its body": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"),
  "talks nonsense": (socket) => socket.write("\0\0\0\r\n\r\n"),
  "answers and closes": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

/** The act travels in the path, for what a client that left has asked for may arrive late. */
const onRequest = (socket: Socket, chunk: Buffer): void => {
  const act = upstreamActs[Number(/^[A-Z]+ \/(\d+) /.exec(chunk.toString("latin1"))?.[1])]
  if (act !== undefined) performances[act](socket)
}

/** Settles when the client's part is over; tells whether it held a whole, good answer in hands. */
const perform = (port: number, upstreamAct: UpstreamAct, act: ClientAct, agent: http.Agent): Promise<boolean> =>
  new Promise((resolve) => {
    const method = act === "leaves in its own body" ? "POST" : "GET"
    const path = `/${upstreamActs.indexOf(upstreamAct)}`
    const headers = method === "POST" ? { "Content-Length": 100 } : {}
    const request = http.request({ host: "127.0.0.1", port, method, path, headers, agent })
    request.on("error", () => resolve(false))
    request.on("response", (answer) => {
      let body = ""
      answer.on("error", () => resolve(false))
      answer.on("close", () => resolve(false))
      answer.on("data", (chunk) => {
        body += chunk
      })
      answer.on("end", () => resolve(answer.statusCode === 200 && body === "ok"))
      if (act === "leaves on the head") request.destroy()
    })
    if (method === "POST") request.write("some of it", () => request.destroy())
    else request.end(act === "leaves at once" ? () => setImmediate(() => request.destroy()) : undefined)
  })

const isGood: ReadonlySet<UpstreamAct> = new Set(["answers", "answers in chunks", "answers and closes"])

it.live(
  "any sequence of misbehaviour leaves nothing behind, and spoils nobody's answer",
  () =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) => socket.on("data", (chunk) => onRequest(socket, chunk)))
      const { port, proxy } = yield* startProxy(oneRoute(upstream.port, { retries: 0, read_timeout: 400 }))
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
      const step = fc.record({ upstream: fc.constantFrom(...upstreamActs), client: fc.constantFrom(...clientActs) })
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        for (const { client, upstream: act } of steps) {
          const isWhole = await perform(port, act, client, agent)
          if (client === "waits") assert.strictEqual(isWhole, isGood.has(act), act)
        }
        assert.isTrue(await perform(port, "answers", "waits", agent))
      })
      yield* Effect.promise(() => fc.assert(property, { seed: 20261123, numRuns: 40 }))
      yield* Effect.suspend(() =>
        proxy.counts().inFlight === 0 ? Effect.void : Effect.fail(proxy.counts().inFlight)
      ).pipe(Effect.retry(Schedule.spaced("5 millis")))
      assert.strictEqual((yield* get(port, "/0")).body, "ok")
      // What answered cleanly may stay in the pool; nothing else may.
      assert.isAtMost(upstream.sockets.size, 2)
    }),
  30_000
)
