import { X509Certificate } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { createServer as createHttpsServer } from "node:https"
import { connect, createServer as createTcpServer, type Server } from "node:net"
import type { TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Queue, type Scope, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { type WebSocket, WebSocketServer } from "ws"
import * as TlsClusterTransport from "../../src/layers/cluster-transport/TlsClusterTransport.ts"
import { makeClusterCertificate } from "../../src/layers/credentials/ClusterCertificate.ts"
import * as PemClusterIdentity from "../../src/layers/credentials/PemClusterIdentity.ts"
import * as WebSocketDialer from "../../src/layers/WebSocketDialer.ts"
import { ClusterDialer } from "../../src/services/ClusterDialer.ts"
import { type ClusterCredentials, ClusterIdentity } from "../../src/services/ClusterIdentity.ts"
import {
  type ClusterEndpoint,
  ClusterTransport,
  ClusterUnreachable,
  type TransportOptions
} from "../../src/services/ClusterTransport.ts"
import { Identity } from "../../src/services/Identity.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { fileWatch } from "../support/fileWatch.ts"
import { until } from "../support/process.ts"
import { settingsLayer } from "../support/settings.ts"

const pair = makeClusterCertificate({ now: new Date() })

const listening = <S extends Server>(server: S): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as { readonly port: number }).port)))
    }),
    () => Effect.sync(() => server.close())
  )

interface Seen {
  readonly request: IncomingMessage
  readonly socket: WebSocket
}

/** A control plane of `ws` alone, which notes what arrives. */
const controlPlane = Effect.fnUntraced(function* ({ cert, key }: CertificatePair) {
  const seen = yield* Queue.unbounded<Seen>()
  const server = createHttpsServer({ cert, key, requestCert: true, rejectUnauthorized: false })
  const sockets = new WebSocketServer({ server, autoPong: false, perMessageDeflate: true })
  sockets.on("connection", (socket, request) => Queue.offerUnsafe(seen, { socket, request }))
  yield* Effect.addFinalizer(() => Effect.sync(() => sockets.clients.forEach((socket) => socket.terminate())))
  return { seen, port: yield* listening(server) }
})

const node = Layer.succeed(Identity, {
  nodeId: "5b1b701d-de2b-4588-9aa2-3b97061d9f52",
  hostname: "a host",
  version: "3.9.0"
})

const dialler = (
  port: number,
  { cert, key }: CertificatePair,
  max = "4194304",
  transport = TlsClusterTransport.layer
) =>
  WebSocketDialer.layer.pipe(
    Layer.provide(transport),
    Layer.provide(Layer.orDie(PemClusterIdentity.layerToleratingExpiry)),
    Layer.provide([fileWatch, TrustedClock.layerWall, node]),
    Layer.provide(
      settingsLayer({
        cluster_control_plane: `127.0.0.1:${port}`,
        cluster_cert: cert,
        cluster_cert_key: key,
        cluster_max_payload: max
      })
    )
  )

const certificateOf = ({ cert, key }: CertificatePair) => ({
  cert,
  key,
  fingerprint256: new X509Certificate(cert).fingerprint256
})

/** Of a node that saw its certificate replaced a while ago. */
const identityBesides = (now: CertificatePair, former: CertificatePair) =>
  Effect.map(
    SubscriptionRef.make<ClusterCredentials>({
      ...certificateOf(now),
      commonName: undefined,
      expiresAtMs: Number.MAX_SAFE_INTEGER,
      authorities: [now.cert],
      memberAuthorities: [],
      proxyAuthorities: [],
      former: certificateOf(former)
    }),
    (current) => ClusterIdentity.of({ current })
  )

const diallerAs = (
  port: number,
  credentials: Layer.Layer<ClusterIdentity>,
  transport: typeof TlsClusterTransport.layer = TlsClusterTransport.layer
) =>
  WebSocketDialer.layer.pipe(
    Layer.provide(transport),
    Layer.provide([
      credentials,
      TrustedClock.layerWall,
      node,
      settingsLayer({ cluster_control_plane: `127.0.0.1:${port}`, cluster_cert: "c", cluster_cert_key: "k" })
    ])
  )

const dial = Effect.flatMap(ClusterDialer, (dialer) => dialer.dial)

describe("dialling the control plane (hybrid-protocol-v1.md §1)", () => {
  it.live("speaks mutual TLS under the shared name, with the three parameters and no extensions", () =>
    Effect.gen(function* () {
      const credentials = yield* pair
      const { seen, port } = yield* controlPlane(credentials)
      yield* dial.pipe(Effect.provide(dialler(port, credentials)))
      const { request } = yield* Queue.take(seen)
      const url = new URL(request.url ?? "", "wss://cp")
      assert.strictEqual(url.pathname, "/v1/outlet")
      assert.deepEqual(Object.fromEntries(url.searchParams), {
        node_id: "5b1b701d-de2b-4588-9aa2-3b97061d9f52",
        node_hostname: "a host",
        node_version: "3.9.0"
      })
      const tls = request.socket as TLSSocket & { readonly servername: string }
      assert.strictEqual(tls.servername, "kong_clustering")
      assert.strictEqual(tls.getPeerX509Certificate()?.subject, "CN=kong_clustering")
      assert.isUndefined(request.headers["sec-websocket-extensions"])
      assert.isUndefined(request.headers["sec-websocket-protocol"])
    })
  )

  it.live("sends one unfragmented binary frame a message, pings with 32 characters, hands on what arrives", () =>
    Effect.gen(function* () {
      const credentials = yield* pair
      const { seen, port } = yield* controlPlane(credentials)
      const socket = yield* dial.pipe(Effect.provide(dialler(port, credentials)))
      const peer = (yield* Queue.take(seen)).socket
      const arrived = yield* Queue.unbounded<string>()
      peer.on("message", (data, isBinary) =>
        Queue.offerUnsafe(arrived, `${isBinary ? "binary" : "text"} ${(data as Buffer).length}`)
      )
      peer.on("ping", (payload) => {
        Queue.offerUnsafe(arrived, `ping ${payload.toString()}`)
        peer.pong("")
      })
      yield* socket.send(new Uint8Array(3_000_000))
      yield* socket.ping("0".repeat(32))
      assert.deepEqual(
        [yield* Queue.take(arrived), yield* Queue.take(arrived)],
        ["binary 3000000", `ping ${"0".repeat(32)}`]
      )
      assert.deepEqual(yield* Queue.take(socket.frames), { _tag: "Pong" })
      peer.send(Buffer.from("bytes"))
      peer.send("words")
      const frame = yield* Queue.take(socket.frames)
      assert(frame._tag === "Binary")
      assert.strictEqual(Buffer.from(frame.bytes).toString(), "bytes")
      assert.deepEqual(yield* Queue.take(socket.frames), { _tag: "Text" })
      peer.close(1000, "done")
      const end = yield* Effect.flip(Queue.take(socket.frames))
      assert.deepInclude(end, { reason: "closed", message: "closed by the control plane, code 1000 done" })
    })
  )

  it.live("ends the session over a message beyond the largest payload", () =>
    Effect.gen(function* () {
      const credentials = yield* pair
      const { seen, port } = yield* controlPlane(credentials)
      const socket = yield* dial.pipe(Effect.provide(dialler(port, credentials)))
      ;(yield* Queue.take(seen)).socket.send(new Uint8Array(4_194_305))
      const end = yield* Effect.flip(Queue.take(socket.frames))
      assert.match(end.message, /payload/i)
    })
  )

  it.live("refuses a control plane with another certificate, and says why", () =>
    Effect.gen(function* () {
      const [ours, theirs] = [yield* pair, yield* pair]
      const { port } = yield* controlPlane(theirs)
      const end = yield* Effect.flip(dial.pipe(Effect.provide(dialler(port, ours))))
      assert.strictEqual(end.reason, "dialFailed")
      assert.match(end.message, /self-signed|signature|certificate/i)
    })
  )

  it.live("fails a dial to nobody, to a peer without TLS and to one that answers HTTP", () =>
    Effect.gen(function* () {
      const credentials = yield* pair
      const failure = (port: number) => Effect.flip(dial.pipe(Effect.provide(dialler(port, credentials))))
      const gone = yield* Effect.scoped(listening(createTcpServer()))
      assert.match((yield* failure(gone)).message, /ECONNREFUSED/)
      const plain = yield* listening(createTcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")))
      assert.strictEqual((yield* failure(plain)).reason, "dialFailed")
      const http = yield* listening(
        createHttpsServer({ ...credentials, requestCert: true, rejectUnauthorized: false }, (_, response) =>
          response.writeHead(404).end()
        )
      )
      assert.match((yield* failure(http)).message, /expected a WebSocket handshake, got HTTP 404/)
    })
  )

  it.live("carries what a refusal asks for: Retry-After in seconds or as a date, and nothing when it is garbage", () =>
    Effect.gen(function* () {
      const credentials = yield* pair
      const failure = Effect.fnUntraced(function* (status: number, headers: Record<string, string>) {
        const port = yield* listening(
          createHttpsServer({ ...credentials, requestCert: true, rejectUnauthorized: false }, (_, response) =>
            response.writeHead(status, headers).end("busy")
          )
        )
        const { reason, message, retryAfterMs } = yield* Effect.flip(
          dial.pipe(Effect.provide(dialler(port, credentials)))
        )
        assert.strictEqual(message, `expected a WebSocket handshake, got HTTP ${status}`)
        return { reason, retryAfterMs }
      }, Effect.scoped)
      const refused = (retryAfterMs: number | undefined) => ({ reason: "refused", retryAfterMs })
      assert.deepStrictEqual(yield* failure(503, { "retry-after": "120" }), refused(120_000))
      const date = new Date(0).toUTCString()
      const later = new Date(90_000).toUTCString()
      assert.deepStrictEqual(yield* failure(429, { date, "retry-after": later }), refused(90_000))
      assert.deepStrictEqual(yield* failure(429, { "retry-after": date }), refused(0))
      assert.deepStrictEqual(yield* failure(503, { "retry-after": "-5" }), refused(undefined))
      assert.deepStrictEqual(yield* failure(401, {}), refused(undefined))
    })
  )

  it.effect("gives the handshake what the connection has left of five seconds", () =>
    Effect.gen(function* () {
      const credentials = yield* pair
      let asked = 0
      const silent = createHttpsServer({ ...credentials, requestCert: true, rejectUnauthorized: false })
      silent.on("upgrade", (_request, socket) => {
        asked++
        socket.on("error", () => socket.destroy())
        socket.resume()
      })
      const port = yield* listening(silent)
      const taken = yield* Deferred.make<void>()
      const slow = Layer.effect(
        ClusterTransport,
        Effect.map(ClusterTransport, ({ connect }) => ({
          connect: (to: ClusterEndpoint, options?: TransportOptions) =>
            Deferred.succeed(taken, undefined).pipe(
              Effect.andThen(Effect.sleep("3 seconds")),
              Effect.andThen(connect(to, options))
            )
        }))
      ).pipe(Layer.provide(TlsClusterTransport.layer))
      const dialling = yield* Effect.forkChild(
        Effect.flip(dial).pipe(Effect.provide(dialler(port, credentials, undefined, slow))),
        { startImmediately: true }
      )
      yield* Deferred.await(taken)
      yield* TestClock.adjust("3 seconds")
      yield* until(() => asked === 1)
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(dialling.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const end = yield* Fiber.join(dialling)
      assert.strictEqual(end.reason, "dialFailed")
      assert.strictEqual(end.message, `no WebSocket handshake from 127.0.0.1:${port} within 5000 ms`)
    })
  )

  it.live("tries the former certificate, and tells first why the one that counts failed", () =>
    Effect.gen(function* () {
      const [old, fresh] = [yield* pair, yield* pair]
      const { port } = yield* controlPlane(fresh)
      // A balancer whose backend is just coming up: the first connection is cut, the second one gets through.
      let connections = 0
      const balancer = yield* listening(
        createTcpServer((socket) => {
          socket.on("error", () => socket.destroy())
          if (connections++ === 0) return void socket.destroy()
          const behind = connect(port, "127.0.0.1")
          behind.on("error", () => socket.destroy())
          socket.on("close", () => behind.destroy())
          socket.pipe(behind).pipe(socket)
        })
      )
      const credentials = Layer.effect(ClusterIdentity, identityBesides(fresh, old))
      const end = yield* Effect.flip(dial).pipe(Effect.provide(diallerAs(balancer, credentials)))
      assert.strictEqual(end.reason, "dialFailed")
      assert.match(end.message, /^the control plane broke off .*; by the former certificate: .*self-signed/)
    })
  )

  it.live("tells what either certificate came to, and honours the answer of who knew one of them", () =>
    Effect.gen(function* () {
      const [old, fresh] = [yield* pair, yield* pair]
      const credentials = Layer.effect(ClusterIdentity, identityBesides(fresh, old))
      const ends = Effect.fnUntraced(function* (current: ClusterUnreachable, former: ClusterUnreachable) {
        const transport = Layer.succeed(ClusterTransport, {
          connect: (_to: ClusterEndpoint, options?: TransportOptions) =>
            Effect.fail(options?.as === "former" ? former : current)
        })
        const end = yield* Effect.flip(dial).pipe(Effect.provide(diallerAs(1, credentials, transport)))
        return [end.reason, end.message, end.retryAfterMs]
      })
      const [cut, late] = [
        new ClusterUnreachable({ reason: "brokenOff", message: "cut" }),
        new ClusterUnreachable({ reason: "failed", message: "too late" })
      ]
      const busy = new ClusterUnreachable({ reason: "refused", message: "HTTP 503", retryAfterMs: 7 })
      assert.deepStrictEqual(yield* ends(cut, cut), ["dialFailed", "cut; by the former certificate as well", undefined])
      assert.deepStrictEqual(yield* ends(cut, late), [
        "dialFailed",
        "cut; by the former certificate: too late",
        undefined
      ])
      assert.deepStrictEqual(yield* ends(cut, busy), ["refused", "cut; by the former certificate: HTTP 503", 7])
      // What no certificate can mend is not tried again.
      assert.deepStrictEqual(yield* ends(late, busy), ["dialFailed", "too late", undefined])
      assert.deepStrictEqual(yield* ends(busy, late), ["refused", "HTTP 503", 7])
    })
  )

  it.live("closes its socket with its scope, politely, and does not outlive an interruption of the dial", () =>
    Effect.gen(function* () {
      const credentials = yield* pair
      const { seen, port } = yield* controlPlane(credentials)
      const closed = yield* Queue.unbounded<number>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* dial
          ;(yield* Queue.take(seen)).socket.on("close", (code) => Queue.offerUnsafe(closed, code))
        })
      ).pipe(Effect.provide(dialler(port, credentials)))
      assert.strictEqual(yield* Queue.take(closed), 1001)
      let open = 0
      const mute = yield* listening(
        createTcpServer((socket) => {
          open++
          socket.resume()
          socket.on("error", () => {})
          socket.on("close", () => open--)
        })
      )
      const dialling = yield* Effect.forkChild(Effect.scoped(dial).pipe(Effect.provide(dialler(mute, credentials))), {
        startImmediately: true
      })
      while (open === 0) yield* Effect.sleep("5 millis")
      yield* Fiber.interrupt(dialling)
      while (open > 0) yield* Effect.sleep("5 millis")
    })
  )
})
