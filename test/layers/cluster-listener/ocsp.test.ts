/** `cluster_ocsp`: reference `hybrid-protocol-v1.md` §1.2, RFC 6960. */
import { X509Certificate } from "node:crypto"
import type { TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { OCSPResponseStatus } from "@peculiar/asn1-ocsp"
import { Effect, Fiber, Logger, Queue, References } from "effect"
import { TestClock } from "effect/testing"
import { judge } from "../../../src/layers/cluster-listener/ocsp/judge.ts"
import { encodeQuestion } from "../../../src/layers/cluster-listener/ocsp/messages.ts"
import { issuerOf, revocationCheck } from "../../../src/layers/cluster-listener/ocsp/Revocation.ts"
import { clusterPort, memoryControlPlane } from "../../support/controlPlane.ts"
import { type AnswerOptions, answer, refusal, responder, revokedAt } from "../../support/ocsp.ts"
import * as openssl from "../../support/opensslOcsp.ts"
import { dial } from "../../support/outletClient.ts"
import { type Authority, authority, leaf } from "../../support/pki.ts"
import { settings } from "../../support/settings.ts"

const x509 = ({ cert }: Authority) => new X509Certificate(cert)
const dayMs = 86_400_000

const stage = Effect.gen(function* () {
  const root = yield* authority("test root")
  const node = yield* leaf(root, { commonName: "dp-1" })
  const subject = { leaf: x509(node), issuer: x509(root) }
  const judged = (options: Partial<AnswerOptions>, about = subject) =>
    judge(answer(encodeQuestion(about), { signer: root, status: "good", ...options }), subject, Date.now())
  return { root, subject, judged }
})

const why = (verdict: ReturnType<typeof judge>): string => (verdict._tag === "Unclear" ? verdict.why : verdict._tag)

describe("an OCSP answer (RFC 6960 §3.2)", () => {
  it.live("is good or revoked when the authority says so", () =>
    Effect.gen(function* () {
      const { judged } = yield* stage
      assert.deepStrictEqual(judged({}), { _tag: "Good" })
      assert.deepStrictEqual(judged({ status: "revoked" }), { _tag: "Revoked", at: revokedAt })
    })
  )

  it.live("may come from whom the authority appointed, and from nobody else", () =>
    Effect.gen(function* () {
      const { root, judged } = yield* stage
      const appointed = yield* leaf(root, { commonName: "ocsp", isOcspSigner: true })
      assert.strictEqual(judged({ signer: appointed, isAppointed: true })._tag, "Good")
      for (const signer of [
        yield* authority("another root"),
        yield* leaf(root, { commonName: "dp-2" }),
        yield* leaf(root, { commonName: "ocsp", isOcspSigner: true, expiredDaysAgo: 1 }),
        yield* leaf(yield* authority("another root"), { commonName: "ocsp", isOcspSigner: true })
      ]) {
        assert.match(why(judged({ signer, isAppointed: true })), /not signed by the authority/)
      }
      assert.match(why(judged({ isForged: true })), /not signed by the authority/)
    })
  )

  it.live("must be about this certificate, and of now", () =>
    Effect.gen(function* () {
      const { root, subject, judged } = yield* stage
      const other = { ...subject, leaf: x509(yield* leaf(root, { commonName: "dp-2" })) }
      assert.strictEqual(why(judged({}, other)), "the answer is about another certificate")
      const now = Date.now()
      const yesterday = new Date(now - dayMs)
      assert.match(why(judged({ thisUpdate: yesterday, nextUpdate: new Date(now - dayMs / 2) })), /not of now/)
      assert.match(
        why(judged({ thisUpdate: new Date(now + dayMs), nextUpdate: new Date(now + 2 * dayMs) })),
        /not of now/
      )
      assert.strictEqual(why(judged({ nextUpdate: new Date(now - 200_000) })), "Good", "clocks differ")
    })
  )

  it.live("that says nothing leaves it unclear", () =>
    Effect.gen(function* () {
      const { subject, judged } = yield* stage
      assert.strictEqual(why(judged({ status: "unknown" })), "the responder does not know the certificate")
      const read = (bytes: Uint8Array) => why(judge(bytes, subject, Date.now()))
      assert.strictEqual(read(refusal(OCSPResponseStatus.tryLater)), "the responder says tryLater")
      assert.notInclude(["Good", "Revoked"], read(Buffer.from("<html>")))
    })
  )
})

describe("messages", () => {
  it("are those of openssl ocsp, both ways", () => {
    const subject = {
      leaf: new X509Certificate(openssl.leafPem),
      issuer: new X509Certificate(openssl.issuerPem)
    }
    const bytes = (base64: string) => Buffer.from(base64, "base64")
    assert.deepStrictEqual(Buffer.from(encodeQuestion(subject)), bytes(openssl.question))
    const at = openssl.answeredAt.getTime()
    assert.deepStrictEqual(judge(bytes(openssl.goodAnswer), subject, at), { _tag: "Good" })
    assert.deepStrictEqual(judge(bytes(openssl.revokedAnswer), subject, at), { _tag: "Revoked", at: revokedAt })
  })
})

const controlPlaneName = "cp.example.com"

/** What comes of a node that dials while the responder answers so: let in or not, and what the log says. */
const outcome = Effect.fnUntraced(function* (
  mode: "on" | "optional",
  reply: (question: Uint8Array, root: Authority) => { readonly status: number; readonly body: Uint8Array } | undefined
) {
  const root = yield* authority("test root")
  const { url, heard } = yield* responder(
    (question) => reply(question, root) ?? { status: 500, body: new Uint8Array() }
  )
  const cp = yield* leaf(root, { commonName: controlPlaneName, dnsNames: [controlPlaneName] })
  const named = reply.length > 0
  const presented = yield* leaf(root, { commonName: "dp-1", ...(named ? { ocspUrl: url } : {}) })
  const said: Array<string> = []
  const logger = Logger.make(({ logLevel, fiber }) => {
    if (logLevel === "Warn") said.push(String(fiber.getRef(References.CurrentLogAnnotations).reason))
  })
  const given = { cluster_mtls: "pki", cluster_ca_cert: root.cert, cluster_ocsp: mode }
  return yield* Effect.gen(function* () {
    const client = yield* dial({ port: yield* clusterPort, trusted: root, servername: controlPlaneName, presented })
    const event = yield* Queue.take(client.heard)
    return { event: event._tag, said: said.join(), heard }
  }).pipe(Effect.scoped, Effect.provide(memoryControlPlane(cp, given, Logger.layer([logger]))))
}, Effect.scoped)

describe("cluster_ocsp (§1.2)", () => {
  for (const mode of ["on", "optional"] as const) {
    it.live(`${mode}: lets in who is good, by a POST of the right type, and refuses who was revoked`, () =>
      Effect.gen(function* () {
        const good = yield* outcome(mode, (question, root) => ({
          status: 200,
          body: answer(question, { signer: root, status: "good" })
        }))
        assert.deepStrictEqual(good, {
          event: "Opened",
          said: "",
          heard: [{ method: "POST", type: "application/ocsp-request" }]
        })
        const revoked = yield* outcome(mode, (question, root) => ({
          status: 200,
          body: answer(question, { signer: root, status: "revoked" })
        }))
        assert.strictEqual(revoked.event, "Ended")
        assert.match(revoked.said, /^the client certificate was revoked on 2026-01-02T03:04:05/)
      })
    )

    const event = mode === "on" ? "Ended" : "Opened"
    it.live(`${mode}: when nobody can say, the node is ${mode === "on" ? "refused" : "let in with a warning"}`, () =>
      Effect.gen(function* () {
        const broken = yield* outcome(mode, (_question, _root) => undefined)
        assert.strictEqual(broken.event, event)
        assert.match(broken.said, /the responder answers HTTP 500$/)
        const empty = yield* outcome(mode, (_question, _root) => ({ status: 200, body: new Uint8Array() }))
        assert.strictEqual(empty.event, event)
        assert.match(empty.said, /the answer is empty$/)
        const unnamed = yield* outcome(mode, () => undefined)
        assert.strictEqual(unnamed.event, event)
        assert.match(unnamed.said, /the certificate names no OCSP responder$/)
      })
    )
  }

  it.live("asks about the authority that signed, not about one that only bears its name", () =>
    Effect.gen(function* () {
      const [real, forged] = [yield* authority("test root"), yield* authority("test root")]
      const node = x509(yield* leaf(real, { commonName: "dp-1" }))
      assert.isTrue(node.checkIssued(x509(forged)), "alike by name")
      assert.strictEqual(issuerOf(node, [forged, real].map(x509))?.fingerprint256, x509(real).fingerprint256)
      assert.isUndefined(issuerOf(node, [x509(forged)]))
    })
  )

  it.effect("gives a responder five seconds", () =>
    Effect.gen(function* () {
      const root = yield* authority("test root")
      const { url, heard } = yield* responder(() => "silence")
      const node = yield* leaf(root, { commonName: "dp-1", ocspUrl: url })
      const socket = {
        getPeerX509Certificate: () => x509(node),
        getPeerCertificate: () => ({ issuerCertificate: { raw: x509(root).raw } })
      } as unknown as TLSSocket
      const given = { role: "control_plane", cluster_cert: "c", cluster_cert_key: "k", cluster_ca_cert: "a" }
      const check = revocationCheck(settings({ ...given, cluster_mtls: "pki", cluster_ocsp: "on" }), {
        memberAuthorities: []
      })
      if (check === undefined) throw new Error("expected a check")
      const fiber = yield* Effect.forkChild(check(socket), { startImmediately: true })
      while (heard.length === 0) yield* Effect.promise(() => new Promise((done) => setTimeout(done, 5)))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.match((yield* Fiber.join(fiber)) ?? "", /did not answer within 5 s$/)
    })
  )
})
