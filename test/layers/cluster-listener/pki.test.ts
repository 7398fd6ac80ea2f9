/** Whom a control plane lets in when an authority decides: reference `hybrid-protocol-v1.md` §1.2, §1.3, over real TLS. */
import { connect as connectTcp } from "node:net"
import { connect as connectTls } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Queue, References, type Scope } from "effect"
import type { AdminListener, ClusterListener } from "../../../src/services/control/Listeners.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { clusterPort, type Given, memoryControlPlane } from "../../support/controlPlane.ts"
import { dial, next } from "../../support/outletClient.ts"
import { type Authority, authority, leaf } from "../../support/pki.ts"

interface Stage {
  readonly root: Authority
  readonly port: number
  /** What the control plane said of those whom it refused. */
  readonly refusals: Queue.Dequeue<string>
}

const controlPlaneName = "cp.eu.example.com"

const withControlPlane = <A, E>(
  given: Given,
  test: (stage: Stage) => Effect.Effect<A, E, AdminListener | ClusterListener | Scope.Scope>
) =>
  Effect.gen(function* () {
    // The control plane's own certificate may come from elsewhere than its data planes'.
    const root = yield* authority("test root")
    const pair = yield* leaf(root, { commonName: controlPlaneName, dnsNames: [controlPlaneName] })
    const refusals = yield* Queue.unbounded<string>()
    const logger = Logger.make(({ message, fiber }) => {
      const { reason } = fiber.getRef(References.CurrentLogAnnotations)
      if (String(message) === "data plane refused") Queue.offerUnsafe(refusals, String(reason))
    })
    const settings = { cluster_mtls: "pki", cluster_ca_cert: root.cert, ...given }
    return yield* Effect.flatMap(clusterPort, (port) => test({ root, port, refusals })).pipe(
      Effect.scoped,
      Effect.provide(memoryControlPlane(pair, settings, Logger.layer([logger])))
    )
  }).pipe(Effect.timeout("20 seconds"))

const knock = ({ root, port }: Stage, presented?: CertificatePair) =>
  dial({ port, trusted: root, servername: controlPlaneName, ...(presented === undefined ? {} : { presented }) })

/** Refused without a word of HTTP; the reason is in the control plane's log. */
const refused = Effect.fnUntraced(function* (stage: Stage, presented?: CertificatePair) {
  const { heard } = yield* knock(stage, presented)
  const event = yield* Queue.take(heard)
  assert.strictEqual(event._tag, "Ended")
  assert.notInclude(event._tag === "Ended" ? event.reason : "", "HTTP")
  return yield* Queue.take(stage.refusals)
})

const admitted = Effect.fnUntraced(function* (stage: Stage, presented: CertificatePair) {
  yield* next((yield* knock(stage, presented)).heard, "Opened")
})

describe("pki: who may connect (§1.2, §1.3)", () => {
  it.live("who has a certificate of the authority, directly or by intermediate ones that are shown", () =>
    withControlPlane({}, (stage) =>
      Effect.gen(function* () {
        yield* admitted(stage, yield* leaf(stage.root, { commonName: "dp-1" }))
        const intermediate = yield* authority("intermediate", stage.root)
        yield* admitted(stage, yield* leaf(intermediate, { commonName: "dp-2" }))
      })
    )
  )

  it.live("nobody else, each with the reason in the log", () =>
    withControlPlane({}, (stage) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refused(stage), "no client certificate")
        const stranger = yield* leaf(yield* authority("another root"), { commonName: "dp-1" })
        assert.match(
          yield* refused(stage, stranger),
          /^the client certificate comes from an authority that is not known/
        )
        const lapsed = yield* leaf(stage.root, { commonName: "dp-1", expiredDaysAgo: 1 })
        assert.strictEqual(yield* refused(stage, lapsed), "the client certificate has expired")
      })
    )
  )

  it.live("nobody who leaves out the intermediate authorities, unless cluster_ca_cert has them", () =>
    Effect.gen(function* () {
      const root = yield* authority("test root")
      const intermediate = yield* authority("intermediate", root)
      const { certificate, key } = yield* leaf(intermediate, { commonName: "dp-1" })
      const alone = { cert: certificate.toString("pem"), key }
      yield* withControlPlane({ cluster_ca_cert: root.cert }, (stage) =>
        Effect.map(refused(stage, alone), (reason) => assert.match(reason, /or without the intermediate ones$/))
      )
      yield* withControlPlane({ cluster_ca_cert: root.cert + intermediate.cert }, (stage) => admitted(stage, alone))
    })
  )

  it.live("a chain of four intermediate authorities, and none longer", () =>
    Effect.gen(function* () {
      const root = yield* authority("test root")
      const bundle = [root.certificate]
      let at = root
      for (let i = 1; i <= 5; i++) {
        at = yield* authority(`intermediate ${i}`, at)
        bundle.push(at.certificate)
        const { certificate, key } = yield* leaf(at, { commonName: "dp-1" })
        const alone = { cert: certificate.toString("pem"), key }
        const given = { cluster_ca_cert: bundle.map((each) => each.toString("pem")).join("\n") }
        if (i === 4) yield* withControlPlane(given, (stage) => admitted(stage, alone))
        if (i < 5) continue
        assert.strictEqual(
          yield* withControlPlane(given, (stage) => refused(stage, alone)),
          "the client certificate is refused: 5 intermediate authorities stand behind it, and the protocol allows 4"
        )
      }
    })
  )

  it.live("nobody by a session of before: each connection shows its certificate anew", () =>
    withControlPlane({}, (stage) =>
      Effect.gen(function* () {
        const { cert, key } = yield* leaf(stage.root, { commonName: "dp-1" })
        const visit = (maxVersion: "TLSv1.2" | "TLSv1.3", session?: Buffer) =>
          Effect.callback<{ readonly isReused: boolean; readonly session: Buffer | undefined }>((resume) => {
            const name = { servername: controlPlaneName, ca: stage.root.cert, maxVersion }
            const resumed = session === undefined ? {} : { session }
            let given: Buffer | undefined
            const socket = connectTls({ port: stage.port, host: "127.0.0.1", cert, key, ...name, ...resumed })
            socket.on("session", (bytes: Buffer) => {
              given = bytes
            })
            // Tickets of TLS 1.3 come after the handshake, before any answer.
            socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nHost: cp\r\n\r\n"))
            socket.on("data", () => {
              resume(Effect.succeed({ isReused: socket.isSessionReused(), session: given ?? socket.getSession() }))
              socket.destroy()
            })
          })
        for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
          const { session } = yield* visit(version)
          assert.isFalse((yield* visit(version, session)).isReused, version)
        }
      })
    )
  )

  it.live("nobody who speaks plain HTTP, or no TLS at all, and that is told as well", () =>
    withControlPlane({}, (stage) =>
      Effect.gen(function* () {
        const say = (words: string) =>
          Effect.acquireRelease(
            Effect.sync(() =>
              connectTcp(stage.port, "127.0.0.1")
                .on("error", () => {})
                .end(words)
            ),
            (socket) => Effect.sync(() => socket.destroy())
          )
        yield* say("GET /v1/outlet HTTP/1.1\r\nHost: cp\r\n\r\n")
        assert.strictEqual(yield* Queue.take(stage.refusals), "plain HTTP on the TLS port")
        yield* say("SSH-2.0-OpenSSH_9.9\r\n")
        assert.strictEqual(yield* Queue.take(stage.refusals), "something other than TLS on the TLS port")
      })
    )
  )
})

describe("pki_check_cn: who may connect (§1.2)", () => {
  it.live("nobody ever, without a list and without a domain: that does not start", () =>
    Effect.gen(function* () {
      const root = yield* authority("test root")
      const pair = yield* leaf(root, { commonName: "cp" })
      const given = { cluster_mtls: "pki_check_cn", cluster_ca_cert: root.cert }
      const error = yield* Effect.flip(Effect.scoped(Layer.build(memoryControlPlane(pair, given))))
      assert.strictEqual(error.exitCode, 2)
      assert.match(error.message, /^cluster_allowed_common_names: expected the names of data planes/)
      const listed = { ...given, cluster_allowed_common_names: "dp" }
      yield* Effect.scoped(Layer.build(memoryControlPlane(pair, listed)))
    })
  )

  it.live("the common names that are listed", () =>
    withControlPlane({ cluster_mtls: "pki_check_cn", cluster_allowed_common_names: "dp-1, DP-2" }, (stage) =>
      Effect.gen(function* () {
        yield* admitted(stage, yield* leaf(stage.root, { commonName: "dp-2" }))
        const other = yield* leaf(stage.root, { commonName: `dp-3.eu.example.com` })
        assert.strictEqual(
          yield* refused(stage, other),
          "the common name dp-3.eu.example.com is not in cluster_allowed_common_names"
        )
        const stranger = yield* leaf(yield* authority("another root"), { commonName: "dp-1" })
        assert.match(yield* refused(stage, stranger), /authority/)
      })
    )
  )

  it.live("without a list, those of the control plane's own domain", () =>
    withControlPlane({ cluster_mtls: "pki_check_cn" }, (stage) =>
      Effect.gen(function* () {
        yield* admitted(stage, yield* leaf(stage.root, { commonName: "dp-1.eu.example.com" }))
        assert.match(
          yield* refused(stage, yield* leaf(stage.root, { commonName: "dp-1.us.example.com" })),
          /^the common name dp-1.us.example.com is not in the domain of cluster_cert, eu.example.com$/
        )
      })
    )
  )
})
