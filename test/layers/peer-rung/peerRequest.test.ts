/**
 * One question to a neighbour over real TLS: reference `hybrid-protocol-v1.md` §1.2 for both modes of mutual TLS, and
 * whatever a neighbour that is broken or malicious may answer.
 */
import type { AddressInfo } from "node:net"
import { createServer, type TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Queue, SubscriptionRef } from "effect"
import { makePeerRequest, type PeerQuestion } from "../../../src/layers/peer-rung/peerRequest.ts"
import { peerHeaders } from "../../../src/model/PeerStanding.ts"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import { sharedServerName } from "../../../src/model/Wire.ts"
import { ClusterIdentity } from "../../../src/services/ClusterIdentity.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { givingNode, offerOf, peerPort } from "../../support/peerStage.ts"
import { authority, leaf } from "../../support/pki.ts"
import { transport } from "../../support/transportStage.ts"

const test = (says: string, body: () => Effect.Effect<void, unknown>) =>
  it.live(says, () => Effect.provide(body(), Logger.layer([])))

/** Two nodes share no layer. */
const apart = { local: true } as const

const get: PeerQuestion = { method: "GET", limitMs: 5_000, maxBytes: 1_000 }

interface Asking {
  readonly pair: CertificatePair
  readonly port: number
  readonly serverName?: string
  readonly question?: Partial<PeerQuestion>
  readonly given?: Partial<Record<SettingName, string>>
}

const ask = ({ pair, port, serverName = sharedServerName, question, given }: Asking) =>
  Effect.gen(function* () {
    const request = yield* makePeerRequest
    return yield* request({ host: "127.0.0.1", port, serverName }, { ...get, ...question })
  }).pipe(Effect.provide(transport(pair, given), apart))

/** A node that serves `/a`, and what is made of it. */
const withGiving = <A>(
  pair: CertificatePair,
  given: Partial<Record<SettingName, string>>,
  body: (port: number) => Effect.Effect<A, unknown>
) =>
  Effect.gen(function* () {
    const { apply } = yield* LiveConfig
    yield* apply(offerOf("/a"))
    return yield* body(yield* peerPort)
  }).pipe(Effect.provide(givingNode(pair, given), apart))

/** Somebody with the cluster's certificate who answers every request so. */
const answering = Effect.fnUntraced(function* ({ cert, key }: CertificatePair, answer: (socket: TLSSocket) => void) {
  const ended = yield* Queue.unbounded<void>()
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, (socket) => {
    socket.on("error", () => socket.destroy())
    socket.once("close", () => Queue.offerUnsafe(ended, undefined))
    socket.once("data", () => answer(socket))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close())
  )
  return { port: (server.address() as AddressInfo).port, ended }
})

describe("a neighbour answers", () => {
  test("whoever has the cluster's certificate, past the forward proxy", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* withGiving(pair, {}, (port) =>
        Effect.gen(function* () {
          const given = { cluster_use_proxy: "on", proxy_server: "http://127.0.0.1:1" }
          const answer = yield* ask({ pair, port, given })
          assert.strictEqual(answer.status, 200)
          assert.isNotEmpty(answer.body)
          const head = yield* ask({ pair, port, question: { method: "HEAD", maxBytes: 0 } })
          assert.strictEqual(head.header("etag"), answer.header("etag"))
          assert.isDefined(head.header(peerHeaders.hash))
        })
      )
    }))

  test("pki: under the name that is expected, and under no other", () =>
    Effect.gen(function* () {
      const root = yield* authority("root")
      const own = yield* leaf(root, { commonName: "dp-1", dnsNames: ["dp-1.example.com"], addresses: ["127.0.0.1"] })
      const pair = yield* leaf(root, { commonName: "dp-2" })
      const given = { cluster_mtls: "pki", cluster_ca_cert: root.cert }
      yield* withGiving(own, given, (port) =>
        Effect.gen(function* () {
          for (const serverName of ["dp-1.example.com", ""])
            assert.strictEqual((yield* ask({ pair, port, serverName, given })).status, 200)
          const { message } = yield* Effect.flip(ask({ pair, port, serverName: "dp-3.example.com", given }))
          assert.match(message, /the neighbour's certificate is refused: expected the name dp-3.example.com/)
        })
      )
    }))

  test("nobody else: it breaks off, and the one who asks says so", () =>
    Effect.gen(function* () {
      const [root, other] = [yield* authority("root"), yield* authority("other")]
      const own = yield* leaf(root, { commonName: "dp-1", dnsNames: ["dp-1"] })
      const pair = yield* leaf(other, { commonName: "dp-2" })
      yield* withGiving(own, { cluster_mtls: "pki", cluster_ca_cert: root.cert }, (port) =>
        Effect.gen(function* () {
          const given = { cluster_mtls: "pki", cluster_ca_cert: root.cert }
          const { message } = yield* Effect.flip(ask({ pair, port, serverName: "dp-1", given }))
          assert.match(message, /the neighbour broke off without an answer/)
        })
      )
      const [cluster, stranger] = [yield* clusterCertificate, yield* clusterCertificate]
      yield* withGiving(cluster, {}, (port) =>
        Effect.gen(function* () {
          const { message } = yield* Effect.flip(ask({ pair: stranger, port }))
          assert.match(message, /the neighbour's certificate is self-signed and not trusted/)
        })
      )
    }))

  test("while a rotation lasts, by the former certificate as well", () =>
    Effect.gen(function* () {
      const [former, now] = [yield* clusterCertificate, yield* clusterCertificate]
      yield* withGiving(former, {}, (port) =>
        Effect.gen(function* () {
          const { current } = yield* ClusterIdentity
          const request = yield* makePeerRequest
          const to = { host: "127.0.0.1", port, serverName: sharedServerName }
          yield* Effect.flip(request(to, get))
          yield* SubscriptionRef.update(current, (held) => ({ ...held, former: { ...former, fingerprint256: "" } }))
          assert.strictEqual((yield* request(to, get)).status, 200)
        }).pipe(Effect.provide(transport(now), apart))
      )
    }))
})

describe("an answer that is none", () => {
  const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`
  const cases: ReadonlyArray<readonly [string, (socket: TLSSocket) => void, RegExp]> = [
    ["is cut off in its body", (socket) => socket.end(`${head(10)}12345`), /^it broke off after 5 of 10 bytes$/],
    [
      "is longer than is taken",
      (socket) => socket.write(head(2_000) + "x".repeat(2_000)),
      /^it sends more than the 1000 bytes/
    ],
    [
      "goes on for ever without a length",
      (socket) => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n")
        const timer = setInterval(() => socket.write("x".repeat(100)), 1)
        socket.once("close", () => clearInterval(timer))
      },
      /^it sends more than the 1000 bytes/
    ],
    [
      "is no HTTP",
      (socket) => socket.write("\x16\x03\x01 nonsense\r\n\r\n"),
      /^it answers with something other than HTTP$/
    ],
    [
      "has headers without end",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}`),
      /^it answers with something other than HTTP$/
    ],
    ["does not come", (socket) => socket.end(), /^the neighbour broke off without an answer/],
    ["is not whole in time", (socket) => socket.write(`${head(10)}12345`), /^no whole answer in 0.5 s$/],
    ["never begins", () => {}, /^no whole answer in 0.5 s$/]
  ]

  for (const [says, answer, reason] of cases)
    test(`${says}: refused with the reason, and no socket is left`, () =>
      Effect.gen(function* () {
        const pair = yield* clusterCertificate
        const { port, ended } = yield* answering(pair, answer)
        const { message } = yield* Effect.flip(ask({ pair, port, question: { limitMs: 500 } }))
        assert.match(message, reason)
        yield* Queue.take(ended)
      }).pipe(Effect.scoped, Effect.timeout("10 seconds")))

  test("nobody is there", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(ask({ pair: yield* clusterCertificate, port: 1 }))
      assert.match(message, /ECONNREFUSED/)
    }))
})
