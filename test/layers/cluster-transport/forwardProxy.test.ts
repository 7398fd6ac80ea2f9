/** Through a forward proxy by CONNECT: reference `hybrid-protocol-v1.md` §1.4, with a real little proxy on loopback. */
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { cases } from "../../support/cases.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { badProxy, forwardProxy } from "../../support/forwardProxy.ts"
import { authority, leaf } from "../../support/pki.ts"
import { until } from "../../support/process.ts"
import { connect, echo, transport } from "../../support/transportStage.ts"

type Given = Partial<Record<SettingName, string>>

const through = (pair: CertificatePair, proxy_server: string, given: Given = {}) =>
  transport(pair, { cluster_use_proxy: "on", proxy_server, ...given })

const said = (stream: Duplex, text: string) =>
  Effect.callback<string>((resume) => {
    stream.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
    stream.write(text)
  })

const encoded = encodeURIComponent

describe("through a forward proxy (§1.4)", () => {
  it.live("the endpoint's own TLS begins behind CONNECT, mutual and under its own name", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port, arrived } = yield* echo(pair)
      const proxy = yield* forwardProxy()
      const stream = yield* connect({ port }).pipe(Effect.provide(through(pair, `http://127.0.0.1:${proxy.port}`)))
      const peer = yield* Queue.take(arrived)
      assert.strictEqual(Reflect.get(peer, "servername"), "kong_clustering")
      assert.strictEqual(peer.getPeerX509Certificate()?.subject, "CN=kong_clustering")
      assert.strictEqual(yield* said(stream, "hello"), "hello")
      const target = `127.0.0.1:${port}`
      assert.deepStrictEqual(proxy.asked, [{ target, host: target, authorization: undefined, headers: ["host"] }])
    })
  )

  it.live("names are the proxy's to resolve, be they of other letters; an IPv6 address stands in brackets", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port } = yield* echo(pair)
      const hosts = { "cp.inside.example": "127.0.0.1", "xn--mller-kva.example": "127.0.0.1", "::1": "127.0.0.1" }
      const proxy = yield* forwardProxy({ hosts })
      yield* Effect.gen(function* () {
        yield* connect({ port, host: "cp.inside.example" })
        yield* connect({ port, host: "müller.example" })
        yield* connect({ port, host: "::1" })
      }).pipe(Effect.provide(through(pair, `http://127.0.0.1:${proxy.port}`)))
      assert.deepStrictEqual(
        proxy.asked.map(({ target }) => target),
        [`cp.inside.example:${port}`, `xn--mller-kva.example:${port}`, `[::1]:${port}`]
      )
    })
  )

  it.live("without cluster_use_proxy nobody asks the proxy", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port } = yield* echo(pair)
      const proxy = yield* forwardProxy()
      const given = { proxy_server: `http://127.0.0.1:${proxy.port}` }
      yield* connect({ port }).pipe(Effect.provide(transport(pair, given)))
      assert.deepStrictEqual(proxy.asked, [])
    })
  )

  it.live("a proxy's head may come byte by byte, in the older version, and name a length", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port } = yield* echo(pair)
      const proxy = yield* forwardProxy({
        answer: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"
      })
      const stream = yield* connect({ port }).pipe(Effect.provide(through(pair, `http://127.0.0.1:${proxy.port}`)))
      assert.strictEqual(yield* said(stream, "hello"), "hello")
    })
  )

  it.live(
    "any user name and password arrives as it was meant",
    () =>
      Effect.gen(function* () {
        const pair = yield* clusterCertificate
        // What comes of the tunnel is not asked here.
        const { port } = yield* Effect.scoped(badProxy(() => undefined))
        const proxy = yield* forwardProxy()
        const word = fc.oneof(
          fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
          fc.string({ unit: fc.constantFrom(..."#@:%/?&+ \\\"'äß漢😀"), minLength: 1, maxLength: 20 })
        )
        const user = word.map((text) => text.replaceAll(":", ""))
        const passes = async (name: string, password: string) => {
          const url = `http://${encoded(name)}:${encoded(password)}@127.0.0.1:${proxy.port}`
          const attempt = Effect.flip(Effect.scoped(connect({ port }))).pipe(Effect.provide(through(pair, url)))
          assert.strictEqual((await Effect.runPromise(attempt)).reason, "refused")
          const shown = proxy.asked.at(-1)?.authorization?.replace(/^Basic /, "") ?? ""
          assert.strictEqual(Buffer.from(shown, "base64").toString(), `${name}:${password}`)
        }
        yield* Effect.promise(() => fc.assert(fc.asyncProperty(user, word, passes), cases()))
      }),
    { timeout: 600_000 }
  )
})

const inTls = Effect.gen(function* () {
  const pair = yield* clusterCertificate
  const root = yield* authority("proxy root")
  const tls = yield* leaf(root, { commonName: "proxy", dnsNames: ["localhost"], addresses: ["127.0.0.1"] })
  return { pair, root, tls, ...(yield* echo(pair)) }
})

describe("through a proxy that speaks TLS itself (§1.4)", () => {
  it.live("two layers of TLS carry bytes both ways, and end with the scope", () =>
    Effect.gen(function* () {
      const { pair, root, tls, port } = yield* inTls
      const credentials = { user: "us#er", password: "p@ss:w/ö%" }
      const proxy = yield* forwardProxy({ tls, credentials })
      const url = `https://${encoded(credentials.user)}:${encoded(credentials.password)}@localhost:${proxy.port}`
      yield* Effect.gen(function* () {
        const stream = yield* connect({ port })
        assert.strictEqual(yield* said(stream, "hello"), "hello")
      }).pipe(Effect.scoped, Effect.provide(through(pair, url, { lua_ssl_trusted_certificate: root.cert })))
      yield* until(() => proxy.openCount() === 0)
    })
  )

  it.live("its certificate is judged by lua_ssl_trusted_certificate and by its name, unless that is switched off", () =>
    Effect.gen(function* () {
      const { pair, root, tls, port } = yield* inTls
      const outcome = Effect.fnUntraced(function* (shown: CertificatePair, given: Given, host = "localhost") {
        const proxy = yield* forwardProxy({ tls: shown })
        const layer = through(pair, `https://${host}:${proxy.port}`, given)
        const attempt = Effect.as(connect({ port }), "connected").pipe(
          Effect.catch(({ message }) => Effect.succeed(message))
        )
        const found = yield* Effect.scoped(attempt).pipe(Effect.provide(layer))
        yield* until(() => proxy.openCount() === 0)
        return found.replace(String(proxy.port), "PORT")
      }, Effect.scoped)
      const trusting = { lua_ssl_trusted_certificate: root.cert }
      assert.strictEqual(yield* outcome(tls, trusting), "connected")
      assert.strictEqual(yield* outcome(tls, trusting, "127.0.0.1"), "connected")
      assert.match(
        yield* outcome(tls, {}),
        /^the certificate of the forward proxy localhost:PORT comes from an authority that is not known/
      )
      assert.strictEqual(yield* outcome(tls, { proxy_server_ssl_verify: "off" }), "connected")
      const misnamed = yield* leaf(root, { commonName: "proxy", dnsNames: ["elsewhere"] })
      assert.match(yield* outcome(misnamed, trusting), /localhost:PORT is refused: .*elsewhere/)
      assert.strictEqual(yield* outcome(misnamed, { proxy_server_ssl_verify: "off" }), "connected")
      const lapsed = yield* leaf(root, { commonName: "proxy", dnsNames: ["localhost"], expiredDaysAgo: 1 })
      assert.strictEqual(
        yield* outcome(lapsed, trusting),
        "the certificate of the forward proxy localhost:PORT has expired"
      )
    })
  )
})

/** The failure of a dial through this proxy, with its port left out; and no socket stays. */
const failureThrough = Effect.fnUntraced(function* (
  proxy: { readonly port: number; readonly openCount: () => number },
  before = "http://us3r:s3cr3t@",
  endpointPort = 1
) {
  const pair = yield* clusterCertificate
  const layer = through(pair, `${before}127.0.0.1:${proxy.port}`)
  const failure = yield* Effect.flip(connect({ port: endpointPort })).pipe(Effect.provide(layer))
  yield* until(() => proxy.openCount() === 0)
  assert.notMatch(JSON.stringify(failure), /us3r|s3cr3t/)
  return { ...failure, message: failure.message.replaceAll(`127.0.0.1:${proxy.port}`, "PROXY") }
})

const answering = (text: string | Buffer, isLast = true) =>
  badProxy((socket) => {
    socket.once("data", () => (isLast ? socket.end(text) : socket.write(text)))
  })

describe("a forward proxy that opens no tunnel (§1.4)", () => {
  const refusals: Readonly<Record<string, string>> = {
    "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=x\r\n\r\n":
      "the forward proxy PROXY refuses the user name or the password of proxy_server (HTTP 407)",
    "HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n":
      "the forward proxy PROXY asks for authentication by Negotiate, NTLM, and only Basic is served (HTTP 407)",
    "HTTP/1.1 403 Go away\r\nContent-Length: 5\r\n\r\nsorry":
      "the forward proxy PROXY opened no tunnel: HTTP 403 Forbidden",
    "HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n": "the forward proxy PROXY opened no tunnel: HTTP 302 Found"
  }
  it.live.each(Object.entries(refusals))("refuses by %j", ([answer, expected]) =>
    Effect.gen(function* () {
      const { reason, message } = yield* failureThrough(yield* answering(answer))
      assert.deepStrictEqual([reason, message], ["refused", expected])
    })
  )

  it.live("asks for credentials that are not there, or are wrong, and is told apart from one that finds nobody", () =>
    Effect.gen(function* () {
      const credentials = { user: "us3r", password: "s3cr3t" }
      const strict = yield* forwardProxy({ credentials })
      assert.match((yield* failureThrough(strict, "http://")).message, /and proxy_server has none \(HTTP 407\)$/)
      assert.match(
        (yield* failureThrough(strict, "http://us3r:S3CR3T@")).message,
        /refuses the user name or the password/
      )
      const gone = yield* Effect.scoped(badProxy(() => undefined))
      assert.match((yield* failureThrough(strict, undefined, gone.port)).message, /HTTP 502 Bad Gateway$/)
    })
  )

  it.live("may ask to be left alone for a while", () =>
    Effect.gen(function* () {
      const busy = yield* answering("HTTP/1.1 503 Busy\r\nRetry-After: 30\r\n\r\n")
      assert.deepInclude(yield* failureThrough(busy), { reason: "refused", retryAfterMs: 30_000 })
      const vague = yield* failureThrough(yield* answering("HTTP/1.1 503 Busy\r\nRetry-After: soon\r\n\r\n"))
      assert.isFalse(Object.hasOwn(vague, "retryAfterMs"))
    })
  )

  const broken: ReadonlyArray<readonly [string, (socket: Socket) => void, RegExp]> = [
    [
      "closes at once",
      (socket) => socket.end(),
      /^the forward proxy PROXY closed the connection instead of answering CONNECT$/
    ],
    ["closes when asked", (socket) => socket.once("data", () => socket.end()), /closed the connection instead/],
    ["closes in its head", (socket) => socket.end("HTTP/1.1 200 OK\r\nVia: "), /closed the connection instead/],
    ["resets", (socket) => socket.once("data", () => socket.resetAndDestroy()), /closed the connection instead/],
    [
      "speaks something else",
      (socket) => socket.write("220 mail.example.com ESMTP\r\n"),
      /answers CONNECT with something other than HTTP; if it speaks TLS, proxy_server begins with https:\/\/$/
    ],
    [
      "answers with bytes of TLS",
      (socket) => socket.write(Buffer.from([21, 3, 3, 0, 2, 2, 70])),
      /something other than HTTP/
    ],
    [
      "never ends its head",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\n${"X-Padding: 0123456789\r\n".repeat(5_000)}`),
      /answers CONNECT with more than 16384 bytes of headers$/
    ],
    [
      "has one header without end",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}`),
      /more than 16384 bytes of headers$/
    ],
    [
      "speaks before the endpoint can",
      (socket) => socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\nhello")),
      /sent 5 bytes behind its answer to CONNECT: no tunnel$/
    ]
  ]
  it.live.each(broken)("%s", ([_, behave, expected]) =>
    Effect.gen(function* () {
      const failure = yield* failureThrough(yield* badProxy(behave))
      assert.strictEqual(failure.reason, "failed")
      assert.match(failure.message, expected)
    })
  )

  it.live("is not there, or speaks no TLS where it should", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(badProxy(() => undefined))
      assert.match(
        (yield* failureThrough(gone)).message,
        /^the forward proxy PROXY can't be reached: connect ECONNREFUSED/
      )
      const plain = yield* forwardProxy()
      assert.match(
        (yield* failureThrough(plain, "https://us3r:s3cr3t@")).message,
        /^the forward proxy PROXY speaks no TLS/
      )
      const { tls } = yield* inTls
      assert.match(
        (yield* failureThrough(yield* forwardProxy({ tls }))).message,
        /something other than HTTP|closed the connection/
      )
    })
  )

  it.live("leads to something that is not the control plane, which is told as without a proxy", () =>
    Effect.gen(function* () {
      const stranger = yield* echo(yield* clusterCertificate)
      const proxy = yield* forwardProxy()
      assert.match(
        (yield* failureThrough(proxy, undefined, stranger.port)).message,
        /^the control plane's certificate /
      )
      const closing = yield* badProxy((socket) => socket.end())
      assert.deepInclude(yield* failureThrough(proxy, undefined, closing.port), { reason: "brokenOff" })
    })
  )
})

describe("a forward proxy that says nothing", () => {
  /** Waits for the place where the dial hangs, then for the limit. */
  const hanging = Effect.fnUntraced(function* (
    url: string,
    pair: CertificatePair,
    isThere: () => boolean,
    isGone: () => boolean,
    end: "limit" | "interruption"
  ) {
    const dialling = yield* Effect.forkChild(
      Effect.flip(connect({ port: 1 })).pipe(Effect.provide(through(pair, url, { proxy_server_ssl_verify: "off" }))),
      { startImmediately: true }
    )
    yield* until(isThere)
    if (end === "interruption") yield* Fiber.interrupt(dialling)
    else yield* TestClock.adjust("5 seconds")
    const message = end === "limit" ? (yield* Fiber.join(dialling)).message : ""
    yield* until(isGone)
    return message
  })

  for (const end of ["limit", "interruption"] as const) {
    it.effect(
      `at any of its steps costs the ${end === "limit" ? "limit of the dial" : "dial nothing when it is interrupted"}, and no socket`,
      () =>
        Effect.gen(function* () {
          const { pair, tls } = yield* inTls
          const mute = yield* badProxy(() => undefined)
          const plain = `127.0.0.1:${mute.port}`
          const check = Effect.fnUntraced(function* (message: string, expected: string) {
            if (end === "limit") assert.strictEqual(message, `${expected} within 5000 ms`)
          })
          const isThere = () => mute.openCount() === 1
          const isGone = () => mute.openCount() === 0
          yield* check(
            yield* hanging(`http://${plain}`, pair, isThere, isGone, end),
            `no answer to CONNECT from the forward proxy ${plain}`
          )
          yield* check(
            yield* hanging(`https://${plain}`, pair, isThere, isGone, end),
            `no TLS from the forward proxy ${plain}`
          )
          const undecided = yield* forwardProxy({ tls, toPort: mute.port, answer: "" })
          yield* check(
            yield* hanging(
              `https://127.0.0.1:${undecided.port}`,
              pair,
              () => undecided.asked.length === 1,
              () => undecided.openCount() === 0,
              end
            ),
            `no answer to CONNECT from the forward proxy 127.0.0.1:${undecided.port}`
          )
          const tunnelling = yield* forwardProxy({ tls, toPort: mute.port })
          yield* check(
            yield* hanging(
              `https://127.0.0.1:${tunnelling.port}`,
              pair,
              isThere,
              () => isGone() && tunnelling.openCount() === 0,
              end
            ),
            "no TLS from 127.0.0.1:1"
          )
        })
    )
  }
})

describe("a tunnel that is cut", () => {
  it.live("ends the stream, in one layer of TLS and in two", () =>
    Effect.gen(function* () {
      const { pair, tls, port } = yield* inTls
      for (const proxy of [yield* forwardProxy(), yield* forwardProxy({ tls })]) {
        const url = `${proxy.scheme}://127.0.0.1:${proxy.port}`
        const stream = yield* connect({ port }).pipe(
          Effect.provide(through(pair, url, { proxy_server_ssl_verify: "off" }))
        )
        assert.strictEqual(yield* said(stream, "hello"), "hello")
        proxy.cut()
        yield* until(() => stream.destroyed)
      }
    })
  )
})
