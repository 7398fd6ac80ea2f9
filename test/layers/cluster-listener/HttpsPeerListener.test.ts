/**
 * What a node gives its neighbours, to whom, and how much of it: `DESIGN.md`, "The life of a node", 3; reference
 * `hybrid-protocol-v1.md` §1.2 and §1.3 for who is let in. Over real TLS.
 */
import { X509Certificate } from "node:crypto"
import { connect as connectTcp, type Socket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, MutableRef, Result, SubscriptionRef } from "effect"
import type { peerListenerLimits } from "../../../src/layers/cluster-listener/HttpsPeerListener.ts"
import { peerHeaders, readStanding } from "../../../src/model/PeerStanding.ts"
import { ClusterIdentity } from "../../../src/services/ClusterIdentity.ts"
import { Compression } from "../../../src/services/Compression.ts"
import { ConfigEncoding, EncodingFailed } from "../../../src/services/ConfigEncoding.ts"
import { LiveConfig, type Offer } from "../../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../../src/services/NodeHealth.ts"
import { readEnvelope } from "../../../src/services/readEnvelope.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import {
  type Asked,
  askPeer,
  type Given,
  givingNode,
  givingNodeId,
  offerOf,
  peerPort,
  type Question
} from "../../support/peerStage.ts"
import { authority, leaf } from "../../support/pki.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { table } from "../../support/tables.ts"

/** Quietly, unless a test gives a logger of its own. */
const test = (says: string, body: () => Effect.Effect<void, unknown>) =>
  it.live(says, () => Effect.provide(body(), Logger.layer([])))

/** Only Linux has the whole of 127.0.0.0/8 without being asked. */
const hasLoopbackNet = process.platform === "linux"

/** Dials from several addresses of this machine. */
const testFromMany = (says: string, body: () => Effect.Effect<void, unknown>) =>
  (hasLoopbackNet ? it.live : it.live.skip)(says, () => Effect.provide(body(), Logger.layer([])))

const serve = (offer: Offer) => Effect.flatMap(LiveConfig, ({ apply }) => Effect.orDie(apply(offer)))

const counts = Effect.gen(function* () {
  const { peers } = yield* NodeHealth
  const { addresses: _, ...rest } = MutableRef.get(peers)?.() ?? (yield* Effect.die("expected counts"))
  return rest
})

const none = { given: 0, told: 0, nothing: 0, busy: 0, cutOff: 0, refused: 0 }

/** Waits until the condition holds; the test's own limit ends it. */
const until = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(holds, (isTrue) => (isTrue ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), until(holds))))

const asMember = (pair: CertificatePair, more: Partial<Question> = {}) =>
  Effect.flatMap(peerPort, (port) => askPeer({ port, trusted: pair, presented: pair, ...more }))

const reasonOf = ({ body }: Asked): string => JSON.parse(body.toString()).message

/** Bytes of this size in place of a configuration. */
const sized = (bytes: number) =>
  Layer.succeed(ConfigEncoding, { encoded: () => Effect.succeed(Buffer.alloc(bytes, "x")) })

describe("what a neighbour gets", () => {
  test("is what serves, in the form of the cache, with its standing beside it; HEAD says the standing alone", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        const given = "0123456789abcdef0123456789abcdef"
        const offer = offerOf("/a", { hash: given, epoch: "2026 é", sequence: 7, issuedAtMs: 1_700_000_000_000 })
        yield* serve(offer)
        const got = yield* asMember(pair)
        assert.strictEqual(got.status, 200)
        assert.strictEqual(got.headers[peerHeaders.node], givingNodeId)
        const { raw, hash, epoch, sequence } = yield* readEnvelope(got.body, { source: "peer", place: "p", nowMs: 0 })
        assert.deepEqual(
          { raw, hash, epoch, sequence },
          { raw: offer.raw, hash: offer.hash, epoch: offer.epoch, sequence: 7 }
        )
        const standing = readStanding((name) => got.headers[name]?.toString())
        assert.deepInclude(standing, { hash: given, epoch: "2026 é", sequence: 7, issuedAtMs: 1_700_000_000_000 })

        const head = yield* asMember(pair, { method: "HEAD" })
        assert.deepEqual([head.status, head.body.length, head.headers.etag], [200, 0, got.headers.etag])
        assert.strictEqual(head.headers["content-length"], String(got.body.length))
        assert.deepEqual(yield* counts, { ...none, given: 1, told: 1 })
      }).pipe(Effect.provide(givingNode(pair)))
    }))

  test("is not sent to who has it, and is sent again once something else serves", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const { headers } = yield* asMember(pair)
        const known = { "if-none-match": `"other", ${headers.etag}` }
        const again = yield* asMember(pair, { headers: known })
        assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, headers.etag])
        yield* serve(offerOf("/b", { hash: "f".repeat(32) }))
        assert.strictEqual((yield* asMember(pair, { headers: known })).status, 200)
      }).pipe(Effect.provide(givingNode(pair)))
    }))

  const never = (what: string, offer: Offer | undefined, reason: RegExp, given: Given = {}) =>
    test(`is never ${what}`, () =>
      Effect.gen(function* () {
        const pair = yield* clusterCertificate
        yield* Effect.gen(function* () {
          if (offer !== undefined) yield* serve(offer)
          const got = yield* asMember(pair)
          assert.strictEqual(got.status, 404)
          assert.match(reasonOf(got), reason)
          const head = yield* asMember(pair, { method: "HEAD" })
          assert.match(String(head.headers[peerHeaders.reason]), reason)
          assert.isUndefined(head.headers.etag)
          assert.deepEqual(yield* counts, { ...none, nothing: 2 })
        }).pipe(Effect.provide(givingNode(pair, given)))
      }))

  never("nothing", undefined, /no configuration serves here/)
  never("a declarative file", offerOf("/a", { source: "declarative_file" }), /a declarative file/)
  never("what a person made", offerOf("/a", { source: "disk", isByHand: true }), /made by hand/)
  never("an empty configuration", offerOf("/a", { raw: { _format_version: "3.0" } }), /is empty/)

  test("is never more than goes by cluster_max_payload", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const given = { cluster_max_payload: "4194304" }
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const got = yield* asMember(pair)
        assert.strictEqual(got.status, 404)
        assert.match(reasonOf(got), /is 8388609 bytes, more than the 8388608 that go by cluster_max_payload/)
      }).pipe(Effect.provide(givingNode(pair, given, {}, sized(8_388_609))))
    }))

  for (const source of ["disk", "peer", "object_storage"] as const)
    test(`is also what came from a control plane by way of ${source}`, () =>
      Effect.gen(function* () {
        const pair = yield* clusterCertificate
        yield* Effect.gen(function* () {
          yield* serve(offerOf("/a", { source }))
          assert.strictEqual((yield* asMember(pair)).status, 200)
        }).pipe(Effect.provide(givingNode(pair)))
      }))

  test("is a control plane's once that gives the same that a person had made", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a", { source: "disk", isByHand: true }))
        yield* serve(offerOf("/a"))
        assert.strictEqual((yield* asMember(pair)).status, 200)
      }).pipe(Effect.provide(givingNode(pair)))
    }))

  test("is made once, however many ask at once", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      let made = 0
      const encoding = Layer.succeed(ConfigEncoding, {
        encoded: () =>
          Effect.delay(
            Effect.sync(() => Buffer.from(`n${made++}`)),
            "50 millis"
          )
      })
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const got = yield* Effect.all(
          Array.from({ length: 20 }, () => asMember(pair)),
          { concurrency: 20 }
        )
        assert.deepEqual([...new Set(got.map(({ status, body }) => `${status} ${body}`))], ["200 n0"])
        assert.strictEqual(made, 1)
      }).pipe(Effect.provide(givingNode(pair, {}, {}, encoding)))
    }))

  test("is nothing while it can't be written down, which is told once; want of memory passes", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const logs = recordedLogs()
      const failures = [
        new EncodingFailed({ message: "short", code: "ENOMEM" }),
        new EncodingFailed({ message: "short", code: "ENOMEM" })
      ]
      const encoding = Layer.succeed(ConfigEncoding, {
        encoded: () =>
          Effect.suspend(() => {
            const failure = failures.pop()
            return failure === undefined ? Effect.succeed(Buffer.from("there")) : Effect.fail(failure)
          })
      })
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        for (const _ of [1, 2]) {
          const { status, headers } = yield* asMember(pair)
          assert.deepEqual([status, headers["retry-after"]], [503, "10"])
        }
        assert.strictEqual((yield* asMember(pair)).status, 200)
        assert.lengthOf(logs.of("configuration can't be given to neighbours"), 1)
      }).pipe(Effect.provide(givingNode(pair, {}, {}, encoding)), Effect.provide(logs.layer))
    }))

  test("is had by GET and HEAD of one path, and by nothing else", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        assert.strictEqual((yield* asMember(pair, { path: "/v1/outlet" })).status, 404)
        const posted = yield* asMember(pair, { method: "POST" })
        assert.deepEqual([posted.status, posted.headers.allow], [405, "GET, HEAD"])
        assert.strictEqual((yield* asMember(pair, { path: "/v1/config?x=1" })).status, 200)
      }).pipe(Effect.provide(givingNode(pair)))
    }))
})

describe("who gets it (hybrid-protocol-v1.md §1.2, §1.3)", () => {
  /** Without a word of HTTP; the reason is in the log, once. */
  const isRefused = Effect.fnUntraced(function* (
    question: Question,
    logs: ReturnType<typeof recordedLogs>,
    reason: RegExp
  ) {
    const before = logs.of("neighbour refused").length
    const outcome = yield* Effect.result(askPeer(question))
    assert.isTrue(Result.isFailure(outcome), "no answer")
    yield* until(Effect.sync(() => logs.of("neighbour refused").length > before))
    assert.match(String(logs.of("neighbour refused").at(-1)?.reason), reason)
  })

  test("shared: who has the cluster's certificate, and nobody else", () =>
    Effect.gen(function* () {
      const [pair, stranger] = [yield* clusterCertificate, yield* clusterCertificate]
      const logs = recordedLogs()
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const port = yield* peerPort
        yield* isRefused({ port, trusted: pair, presented: stranger }, logs, /is not the cluster's/)
        yield* isRefused({ port, trusted: pair }, logs, /no client certificate/)
        assert.strictEqual((yield* asMember(pair)).status, 200)
        assert.deepInclude(yield* counts, { given: 1, refused: 2 })
      }).pipe(Effect.provide(givingNode(pair)), Effect.provide(logs.layer))
    }))

  test("pki: whom cluster_ca_cert vouches for, with a certificate that clients may show; lua_ssl_trusted_certificate lets nobody in", () =>
    Effect.gen(function* () {
      const [root, other] = [yield* authority("root"), yield* authority("other")]
      const own = yield* leaf(root, { commonName: "dp-1", dnsNames: ["dp-1"] })
      const logs = recordedLogs()
      const given = { cluster_mtls: "pki", cluster_ca_cert: root.cert, lua_ssl_trusted_certificate: other.cert }
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const port = yield* peerPort
        const asks = { port, trusted: root, servername: "dp-1" }
        const member = yield* leaf(root, { commonName: "dp-2" })
        assert.strictEqual((yield* askPeer({ ...asks, presented: member })).status, 200)
        yield* isRefused(
          { ...asks, presented: yield* leaf(other, { commonName: "dp-2" }) },
          logs,
          /authority that is not known/
        )
        const signer = yield* leaf(root, { commonName: "ocsp", isOcspSigner: true })
        yield* isRefused({ ...asks, presented: signer }, logs, /was made for another purpose/)
      }).pipe(Effect.provide(givingNode(own, given)), Effect.provide(logs.layer))
    }))

  test("pki_check_cn: whose name is listed", () =>
    Effect.gen(function* () {
      const root = yield* authority("root")
      const own = yield* leaf(root, { commonName: "dp-1.eu.example.com" })
      const logs = recordedLogs()
      const given = { cluster_mtls: "pki_check_cn", cluster_ca_cert: root.cert }
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const asks = { port: yield* peerPort, trusted: root, servername: "dp-1.eu.example.com" }
        const neighbour = yield* leaf(root, { commonName: "dp-2.eu.example.com" })
        assert.strictEqual((yield* askPeer({ ...asks, presented: neighbour })).status, 200)
        const foreign = yield* leaf(root, { commonName: "dp-2.us.example.com" })
        yield* isRefused({ ...asks, presented: foreign }, logs, /not in the domain of cluster_cert, eu.example.com/)
      }).pipe(Effect.provide(givingNode(own, given)), Effect.provide(logs.layer))
    }))
})

describe("a neighbour whose revocation nobody can tell", () => {
  test("is let in by cluster_ocsp=optional, and the responder is neither asked nor missed each time", () =>
    Effect.gen(function* () {
      const root = yield* authority("root")
      const own = yield* leaf(root, { commonName: "dp-1", dnsNames: ["dp-1"] })
      const member = yield* leaf(root, { commonName: "dp-2", ocspUrl: "http://127.0.0.1:1/" })
      const logs = recordedLogs()
      const given = { cluster_mtls: "pki", cluster_ca_cert: root.cert, cluster_ocsp: "optional" }
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const asks = { port: yield* peerPort, trusted: root, servername: "dp-1", presented: member }
        for (const method of ["HEAD", "GET", "HEAD"])
          assert.strictEqual((yield* askPeer({ ...asks, method })).status, 200)
        assert.lengthOf(
          logs.of("data plane let in, though nobody can say whether its certificate was revoked"),
          1,
          "told once"
        )
      }).pipe(Effect.provide(givingNode(own, given)), Effect.provide(logs.layer))
    }))
})

describe("a certificate that is replaced (hybrid-protocol-v1.md §1.2)", () => {
  test("counts from the next connection on, and the former one beside it for as long as that lasts", () =>
    Effect.gen(function* () {
      const [before, after] = [yield* clusterCertificate, yield* clusterCertificate]
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const { current } = yield* ClusterIdentity
        const held = yield* SubscriptionRef.get(current)
        const digest = ({ cert }: CertificatePair) => new X509Certificate(cert).fingerprint256
        const next = { ...held, ...after, fingerprint256: digest(after), authorities: [after.cert] }
        const former = { ...before, fingerprint256: digest(before) }
        const gets = (presented: CertificatePair) =>
          Effect.map(
            Effect.result(asMember(after, { presented })),
            (got) => Result.isSuccess(got) && got.success.status === 200
          )
        assert.isFalse(yield* gets(after))
        yield* SubscriptionRef.set(current, { ...next, former })
        yield* until(gets(after))
        assert.isTrue(yield* gets(before))
        yield* SubscriptionRef.set(current, { ...next, former: undefined })
        yield* until(Effect.map(gets(before), (isLetIn) => !isLetIn))
        assert.isTrue(yield* gets(after))
      }).pipe(Effect.provide(givingNode(before)))
    }))
})

describe("how much a neighbour gets", () => {
  const mebibyte = 1_048_576

  test("so many at once, the others are told when to come again; who reads too slowly is cut off", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const limits = { atOnce: 2, silenceMs: 60_000, transferMs: 1_500 }
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        let begun = 0
        const slow = Effect.result(asMember(pair, { isSlow: true, begins: () => begun++ }))
        yield* Effect.forkChild(Effect.all([slow, slow], { concurrency: 2 }))
        yield* until(Effect.sync(() => begun === 2))
        const busy = yield* asMember(pair)
        assert.strictEqual(busy.status, 503)
        assert.match(String(busy.headers["retry-after"]), /^[1-9]\d*$/)
        assert.isDefined(busy.headers.etag, "it says all the same what it has")
        yield* until(Effect.map(counts, ({ cutOff }) => cutOff === 2))
        assert.strictEqual((yield* asMember(pair)).status, 200)
      }).pipe(Effect.provide(givingNode(pair, {}, limits, sized(24 * mebibyte))))
    }))

  testFromMany("so many of them to one address: who reads slowly leaves the others theirs", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const limits = { atOnce: 4, atOnceEach: 2, silenceMs: 60_000 }
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const from = (localAddress: string, more: Partial<Question> = {}) => asMember(pair, { localAddress, ...more })
        let begun = 0
        const slow = Effect.result(from("127.0.0.2", { isSlow: true, begins: () => begun++ }))
        yield* Effect.forkChild(Effect.all([slow, slow], { concurrency: 2 }))
        yield* until(Effect.sync(() => begun === 2))
        const third = yield* from("127.0.0.2")
        assert.strictEqual(third.status, 503)
        assert.match(reasonOf(third), /2 transfers to this neighbour are under way/)
        assert.strictEqual((yield* from("127.0.0.3")).status, 200)
      }).pipe(Effect.provide(givingNode(pair, {}, limits, sized(24 * mebibyte))))
    })
  )

  testFromMany(
    "pki: to each certificate of an address as much as to an address, and to each address of a certificate",
    () =>
      Effect.gen(function* () {
        const root = yield* authority("root")
        const own = yield* leaf(root, { commonName: "dp-1", dnsNames: ["dp-1"] })
        const [one, other] = [yield* leaf(root, { commonName: "dp-2" }), yield* leaf(root, { commonName: "dp-3" })]
        const given = { cluster_mtls: "pki", cluster_ca_cert: root.cert }
        yield* Effect.gen(function* () {
          yield* serve(offerOf("/a"))
          const asks = { port: yield* peerPort, trusted: root, servername: "dp-1" }
          const status = (presented: CertificatePair, localAddress = "127.0.0.1") =>
            Effect.map(askPeer({ ...asks, presented, localAddress }), (got) => got.status)
          assert.deepEqual(
            [yield* status(one), yield* status(one), yield* status(other), yield* status(one, "127.0.0.2")],
            [200, 503, 200, 200]
          )
        }).pipe(Effect.provide(givingNode(own, given, { burstTransfers: 1, secondsPerTransfer: 3_600 })))
      })
  )

  test("who takes nothing for a while is cut off, long before the end of its time", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const limits = { silenceMs: 300, transferMs: 600_000 }
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        yield* Effect.forkChild(Effect.result(asMember(pair, { isSlow: true })))
        yield* until(Effect.map(counts, ({ cutOff }) => cutOff === 1))
      }).pipe(Effect.provide(givingNode(pair, {}, limits, sized(24 * mebibyte))))
    }))

  test("so often, and so many bytes in a while", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const statuses = (limits: Partial<typeof peerListenerLimits>) =>
        Effect.gen(function* () {
          yield* serve(offerOf("/a"))
          return yield* Effect.forEach([1, 2, 3], () => Effect.map(asMember(pair), ({ status }) => status))
        }).pipe(Effect.provide(givingNode(pair, {}, limits, sized(mebibyte))))
      assert.deepEqual(yield* statuses({ burstTransfers: 2, secondsPerTransfer: 3_600 }), [200, 200, 503])
      assert.deepEqual(yield* statuses({ burstBytes: mebibyte + 1, bytesPerSecond: 1 }), [200, 200, 503])
    }))

  test("a connection that says nothing is closed, before its handshake and after it; so many are open at once", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const limits = { silenceMs: 500, connectionsMax: 3 }
      yield* Effect.gen(function* () {
        const port = yield* peerPort
        const closed = (socket: {
          once: (event: string, then: () => void) => unknown
          on: (event: string, then: () => void) => unknown
        }) => {
          socket.on("error", () => {})
          return Effect.callback<void>((resume) => void socket.once("close", () => resume(Effect.void)))
        }
        const silent = [
          connectTcp(port, "127.0.0.1"),
          connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, cert: pair.cert, key: pair.key })
        ].map((socket) => closed(socket.resume()))
        yield* Effect.all(silent, { concurrency: 2 })
        const many = Array.from({ length: 6 }, () => connectTcp(port, "127.0.0.1").resume())
        yield* Effect.all(many.map(closed), { concurrency: 6 })
        yield* serve(offerOf("/a"))
        assert.strictEqual((yield* asMember(pair)).status, 200)
      }).pipe(Effect.provide(givingNode(pair, {}, limits)))
    }))

  test("who goes away before there is an answer leaves nothing behind", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const encoding = Layer.succeed(ConfigEncoding, {
        encoded: () => Effect.delay(Effect.succeed(Buffer.from("there")), "300 millis")
      })
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        yield* Effect.timeoutOption(asMember(pair), "150 millis")
        assert.strictEqual((yield* asMember(pair)).status, 200)
        yield* until(Effect.map(counts, ({ given, cutOff }) => given === 1 && cutOff === 1))
      }).pipe(Effect.provide(givingNode(pair, {}, { atOnce: 1 }, encoding)))
    }))

  test("nothing holds up the end of the node", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const limits = { silenceMs: 600_000, transferMs: 600_000 }
      const stuck = yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const fiber = yield* Effect.forkDetach(Effect.result(asMember(pair, { isSlow: true })))
        yield* Effect.sleep("300 millis")
        return fiber
      }).pipe(Effect.provide(givingNode(pair, {}, limits, sized(24 * mebibyte))))
      yield* Effect.sync(() => stuck.interruptUnsafe())
    }).pipe(Effect.timeout("10 seconds")))
})

describe("a stranger that holds connections", () => {
  /** Dials as often as it is dropped, from one address after the other, and never says anything. */
  const strangers = (port: number, addresses: ReadonlyArray<string>) => {
    const open = new Set<Socket>()
    let [dials, isOver] = [0, false]
    const dial = (localAddress: string): void => {
      if (isOver) return
      dials++
      const socket = connectTcp({ port, host: "127.0.0.1", localAddress }).resume()
      open.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        open.delete(socket)
        setTimeout(dial, 50, localAddress).unref()
      })
    }
    return Effect.acquireRelease(
      Effect.sync(() => {
        for (const address of addresses) dial(address)
        return { dials: Effect.sync(() => dials), open: Effect.sync(() => open.size) }
      }),
      () =>
        Effect.sync(() => {
          isOver = true
          for (const socket of open) socket.destroy()
        })
    )
  }

  const keepsNobodyOut = (addresses: ReadonlyArray<string>, limits: Partial<typeof peerListenerLimits>) =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const { dials } = yield* strangers(yield* peerPort, addresses)
        yield* until(Effect.map(dials, (all) => all > addresses.length))
        for (const _ of [1, 2, 3]) assert.strictEqual((yield* asMember(pair)).status, 200)
      }).pipe(Effect.scoped, Effect.provide(givingNode(pair, {}, { silenceMs: 60_000, ...limits })))
    })

  testFromMany("from one address has so many, and keeps nobody out", () =>
    keepsNobodyOut(new Array(12).fill("127.0.0.2"), { connectionsMax: 4, connectionsPerAddressMax: 2 })
  )

  testFromMany("from ever new addresses keeps nobody out: who has waited longest for a handshake makes room", () =>
    keepsNobodyOut(
      Array.from({ length: 12 }, (_, n) => `127.0.1.${n + 1}`),
      { connectionsMax: 4, connectionsPerAddressMax: 2 }
    )
  )

  test("with the cluster's certificate has no more than others, and gets them back as they end", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const port = yield* peerPort
        const member = { port, host: "127.0.0.1", rejectUnauthorized: false, cert: pair.cert, key: pair.key }
        const shakes = () =>
          Effect.callback<TLSSocket | undefined>((resume) => {
            const socket = connectTls(member, () => resume(Effect.succeed(socket)))
            socket.on("error", () => resume(Effect.succeed(undefined)))
            socket.on("close", () => resume(Effect.succeed(undefined)))
          })
        const held = [yield* shakes(), yield* shakes()]
        assert.notInclude(held, undefined)
        assert.isUndefined(yield* shakes())
        for (const socket of held) socket?.destroy()
        yield* until(Effect.map(Effect.result(asMember(pair)), Result.isSuccess))
      }).pipe(Effect.provide(givingNode(pair, {}, { silenceMs: 60_000, connectionsPerAddressMax: 2 })))
    }))

  testFromMany("is told by its address when it does not shake hands", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const logs = recordedLogs()
      yield* Effect.gen(function* () {
        yield* strangers(yield* peerPort, ["127.0.0.3"])
        yield* until(Effect.sync(() => logs.of("neighbour refused").length > 0))
        assert.deepInclude(logs.of("neighbour refused")[0], { ip: "127.0.0.3", reason: "no TLS handshake in time" })
      }).pipe(Effect.scoped, Effect.provide(givingNode(pair, {}, { silenceMs: 200 })), Effect.provide(logs.layer))
    })
  )
})

describe("an envelope that a neighbour gives", () => {
  test("inflates to the table itself", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        yield* serve(offerOf("/a"))
        const { gunzip } = yield* Compression
        const text = new TextDecoder().decode(yield* gunzip((yield* asMember(pair)).body, 1_000_000))
        const { _holdfast: provenance, ...raw } = JSON.parse(text)
        assert.deepEqual(raw, table("/a"))
        assert.strictEqual(provenance.source, "control_plane")
      }).pipe(Effect.provide(givingNode(pair)))
    }))
})
