/** What HTTP/2 refuses to write and upstreams say all the same: reference `proxy-behaviour.md` §2, §10. */
import http2 from "node:http2"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ObservedRequest } from "../../../src/services/RequestObservers.ts"
import { authority, leaf } from "../../support/pki.ts"
import { loopback, oneRoute, startProxy, startRawUpstream } from "./support.ts"

interface Seen {
  readonly headers: http2.IncomingHttpHeaders
  readonly trailers: http2.IncomingHttpHeaders
  readonly body: string
}

/** What a client of HTTP/2 is told when an upstream says `text`. */
const told = (text: string): Effect.Effect<Seen> =>
  Effect.scoped(
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) => socket.on("data", () => socket.write(text)))
      const certificate = yield* leaf(yield* authority("CA"), { commonName: "localhost", dnsNames: ["localhost"] })
      const settings = { proxy_listen: [{ ...loopback, isTls: true, isHttp2: true }] }
      const { port } = yield* startProxy(oneRoute(upstream.port), { settings, certificate })
      const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      return yield* Effect.promise(
        () =>
          new Promise<Seen>((resolve, reject) => {
            const stream = session.request({ ":path": "/", te: "trailers" })
            let [headers, trailers, body] = [{}, {}, ""]
            stream.on("response", (given) => {
              headers = { ...given }
            })
            stream.on("trailers", (given) => {
              trailers = { ...given }
            })
            stream.on("data", (chunk) => {
              body += chunk
            })
            stream.on("error", reject)
            stream.on("close", () => resolve({ headers, trailers, body }))
          })
      )
    })
  ).pipe(Effect.orDie)

const chunked = (trailers: string): string =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n${trailers}\r\n`

const counted = (headers: string): string => `HTTP/1.1 200 OK\r\n${headers}Content-Length: 2\r\n\r\nok`

describe("§10 trailers over HTTP/2", () => {
  it.live.each(["Connection", "Transfer-Encoding", "Keep-Alive", "TE", "Upgrade", "HTTP2-Settings"])(
    "§10 %s is left out, the others arrive",
    (name) =>
      Effect.gen(function* () {
        const { body, trailers } = yield* told(chunked(`${name}: x\r\nX-Sum: 1\r\nX-Sum: 2\r\n`))
        assert.strictEqual(body, "ok")
        assert.deepStrictEqual(Object.entries(trailers), [["x-sum", "1, 2"]])
      })
  )

  it.live("§10 of one that there can be once, the first counts", () =>
    Effect.gen(function* () {
      const { trailers } = yield* told(chunked("ETag: a\r\nETag: b\r\n"))
      assert.strictEqual(trailers.etag, "a")
    })
  )
})

describe("§2 answers over HTTP/2", () => {
  it.live.each(["ETag", "Location", "Content-Type", "Content-Encoding", "Retry-After", "Age", "Host"])(
    "§2 a repeated %s is served with its first value",
    (name) =>
      Effect.gen(function* () {
        const { body, headers } = yield* told(counted(`${name}: 1\r\n${name}: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n`))
        assert.strictEqual(body, "ok")
        assert.strictEqual(String(headers[name.toLowerCase()]), "1")
        assert.deepStrictEqual(headers["set-cookie"], ["a", "b"])
      })
  )

  it.live.each(["HTTP2-Settings: x", "__proto__: x"])("§2 %s fails no answer", (line) =>
    Effect.gen(function* () {
      const { body, headers } = yield* told(counted(`${line}\r\n`))
      assert.strictEqual(body, "ok")
      assert.strictEqual(Number(headers[":status"]), 200)
    })
  )

  it.live("§3 the error for an answer that can't be written carries nothing of that answer", () =>
    Effect.gen(function* () {
      const { headers } = yield* told(
        "HTTP/1.1 099 No\r\nSet-Cookie: a\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"
      )
      assert.strictEqual(Number(headers[":status"]), 502)
      assert.isUndefined(headers["set-cookie"])
      assert.isUndefined(headers["content-encoding"])
    })
  )
})

describe("§3 CONNECT over HTTP/2", () => {
  it.live("is 405, as over HTTP/1.1, and told to observers as any request", () =>
    Effect.gen(function* () {
      const certificate = yield* leaf(yield* authority("CA"), { commonName: "localhost", dnsNames: ["localhost"] })
      const settings = { proxy_listen: [{ ...loopback, isTls: true, isHttp2: true }] }
      const heard: Array<readonly [number, unknown]> = []
      const observers = [({ status, compiled }: ObservedRequest) => void heard.push([status, compiled])]
      const { port, proxy } = yield* startProxy(oneRoute(1), { settings, certificate, observers })
      const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      const answer = yield* Effect.promise(
        () =>
          new Promise<readonly [unknown, string]>((resolve, reject) => {
            const stream = session.request({ ":method": "CONNECT", ":authority": "a:1" })
            let [status, body]: [unknown, string] = [undefined, ""]
            stream.on("response", (headers) => {
              status = headers[":status"]
            })
            stream.on("data", (chunk) => {
              body += chunk
            })
            stream.on("error", reject)
            stream.on("close", () => resolve([status, body]))
          })
      )
      assert.strictEqual(answer[0], 405)
      assert.match(answer[1], /^Method not allowed\nrequest_id: [0-9a-f]{32}\n$/)
      assert.deepStrictEqual([heard, proxy.counts().inFlight], [[[405, undefined]], 0])
    })
  )
})
