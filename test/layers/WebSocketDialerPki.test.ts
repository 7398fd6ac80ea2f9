/** How a data plane knows its control plane when an authority vouches for it: reference `hybrid-protocol-v1.md` §1.2. */
import type { IncomingMessage } from "node:http"
import { createServer } from "node:https"
import type { TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue } from "effect"
import { WebSocketServer } from "ws"
import * as TlsClusterTransport from "../../src/layers/cluster-transport/TlsClusterTransport.ts"
import * as PemClusterIdentity from "../../src/layers/credentials/PemClusterIdentity.ts"
import * as WebSocketDialer from "../../src/layers/WebSocketDialer.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { ClusterDialer } from "../../src/services/ClusterDialer.ts"
import { Identity } from "../../src/services/Identity.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { fileWatch } from "../support/fileWatch.ts"
import { type Authority, authority, leaf } from "../support/pki.ts"
import { settingsLayer } from "../support/settings.ts"

type Given = Partial<Record<SettingName, string>>

/** A control plane of `ws` alone, which notes under which name and with which certificate it was dialled. */
const controlPlane = Effect.fnUntraced(function* ({ cert, key }: CertificatePair) {
  const dialled = yield* Queue.unbounded<{
    readonly name: string | false | undefined
    readonly by: string | undefined
  }>()
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false })
  const sockets = new WebSocketServer({ server })
  sockets.on("connection", (_socket, request: IncomingMessage) => {
    const tls = request.socket as TLSSocket & { readonly servername?: string | false }
    Queue.offerUnsafe(dialled, { name: tls.servername, by: tls.getPeerX509Certificate()?.subject })
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as { readonly port: number }).port)))
    }),
    () =>
      Effect.sync(() => {
        for (const socket of sockets.clients) socket.terminate()
        server.close()
      })
  )
  return { dialled, port }
})

const node = (port: number, pair: CertificatePair, given: Given) =>
  WebSocketDialer.layer.pipe(
    Layer.provide(TlsClusterTransport.layer),
    Layer.provide(Layer.orDie(PemClusterIdentity.layerToleratingExpiry)),
    Layer.provide([fileWatch, TrustedClock.layerWall]),
    Layer.provide(
      Layer.succeed(Identity, { nodeId: "5b1b701d-de2b-4588-9aa2-3b97061d9f52", hostname: "h", version: "3.9.0" })
    ),
    Layer.provide(
      settingsLayer({
        cluster_mtls: "pki",
        cluster_control_plane: `127.0.0.1:${port}`,
        cluster_cert: pair.cert,
        cluster_cert_key: pair.key,
        ...given
      })
    )
  )

interface Stage {
  readonly root: Authority
  readonly own: CertificatePair
}

const stage = Effect.gen(function* () {
  const root = yield* authority("test root")
  return { root, own: yield* leaf(root, { commonName: "dp-1" }) } satisfies Stage
})

const dial = Effect.fnUntraced(function* (shown: CertificatePair, { root, own }: Stage, given: Given) {
  const { dialled, port } = yield* controlPlane(shown)
  const settings = { cluster_ca_cert: root.cert, cluster_server_name: "cp.example.com", ...given }
  const attempt = Effect.flatMap(ClusterDialer, (dialer) => Effect.as(dialer.dial, "connected"))
  const outcome = yield* attempt.pipe(
    Effect.catchTag("SessionEnd", ({ reason, message }) => Effect.succeed(`${reason}: ${message}`)),
    Effect.provide(node(port, own, settings))
  )
  return { outcome, dialled }
}, Effect.scoped)

const outcomeOf = (shown: CertificatePair, at: Stage, given: Given = {}) =>
  Effect.map(dial(shown, at, given), ({ outcome }) => outcome)

describe("dialling in the pki modes (§1.2)", () => {
  for (const mode of ["pki", "pki_check_cn"]) {
    it.live(`${mode}: asks for cluster_server_name, shows its own certificate, trusts cluster_ca_cert`, () =>
      Effect.gen(function* () {
        const at = yield* stage
        const shown = yield* leaf(at.root, { commonName: "x", dnsNames: ["cp.example.com"] })
        const { outcome, dialled } = yield* dial(shown, at, { cluster_mtls: mode })
        assert.strictEqual(outcome, "connected")
        assert.deepStrictEqual(yield* Queue.take(dialled), { name: "cp.example.com", by: "CN=dp-1" })
      })
    )
  }

  it.live("without cluster_server_name expects the host that it dials, be it a name or an address", () =>
    Effect.gen(function* () {
      const at = yield* stage
      const shown = yield* leaf(at.root, { commonName: "x", addresses: ["127.0.0.1"] })
      const unnamed = { cluster_server_name: "" }
      const { outcome, dialled } = yield* dial(shown, at, unnamed)
      assert.strictEqual(outcome, "connected")
      assert.strictEqual((yield* Queue.take(dialled)).name, false, "an address is no server name")
      const elsewhere = yield* leaf(at.root, { commonName: "x", addresses: ["127.0.0.2"] })
      assert.match(yield* outcomeOf(elsewhere, at, unnamed), /expected the name 127\.0\.0\.1/)
    })
  )

  it.live("expects a cluster_server_name that is an address, and asks for no name then, whatever host it dials", () =>
    Effect.gen(function* () {
      const at = yield* stage
      const addressed = { cluster_server_name: "127.0.0.2" }
      const host = yield* leaf(at.root, { commonName: "x", addresses: ["127.0.0.1"], dnsNames: ["localhost"] })
      assert.match(yield* outcomeOf(host, at, addressed), /expected the name 127\.0\.0\.2/)
      const right = yield* leaf(at.root, { commonName: "x", addresses: ["127.0.0.2"] })
      const { outcome, dialled } = yield* dial(right, at, addressed)
      assert.strictEqual(outcome, "connected")
      assert.strictEqual((yield* Queue.take(dialled)).name, false)
    })
  )

  it.live("says of each refusal what was wrong", () =>
    Effect.gen(function* () {
      const at = yield* stage
      const dnsNames = ["cp.example.com"]
      const stranger = yield* leaf(yield* authority("another root"), { commonName: "x", dnsNames })
      assert.match(
        yield* outcomeOf(stranger, at),
        /^dialFailed: the control plane's certificate comes from an authority that is not known/
      )
      const lapsed = yield* leaf(at.root, { commonName: "x", dnsNames, expiredDaysAgo: 1 })
      assert.strictEqual(yield* outcomeOf(lapsed, at), "dialFailed: the control plane's certificate has expired")
      const misnamed = yield* leaf(at.root, { commonName: "x", dnsNames: ["other.example.com"] })
      assert.match(
        yield* outcomeOf(misnamed, at),
        /^dialFailed: the control plane's certificate is refused: expected the name cp\.example\.com \(.*other\.example\.com/
      )
    })
  )

  it.live("accepts as many intermediate authorities as lua_ssl_verify_depth says, one unless told", () =>
    Effect.gen(function* () {
      const at = yield* stage
      const dnsNames = ["cp.example.com"]
      const first = yield* authority("first", at.root)
      const second = yield* authority("second", first)
      assert.strictEqual(yield* outcomeOf(yield* leaf(first, { commonName: "x", dnsNames }), at), "connected")
      const deep = yield* leaf(second, { commonName: "x", dnsNames })
      assert.strictEqual(
        yield* outcomeOf(deep, at),
        "dialFailed: the control plane's certificate is refused: 2 intermediate authorities stand behind it, and lua_ssl_verify_depth allows 1"
      )
      assert.strictEqual(yield* outcomeOf(deep, at, { lua_ssl_verify_depth: "2" }), "connected")
      const none = yield* leaf(first, { commonName: "x", dnsNames })
      assert.match(yield* outcomeOf(none, at, { lua_ssl_verify_depth: "0" }), /allows 0$/)
    })
  )

  it.live("trusts what lua_ssl_trusted_certificate adds, in each of its forms, and nothing without", () =>
    Effect.gen(function* () {
      const at = yield* stage
      const other = yield* authority("another root")
      const shown = yield* leaf(other, { commonName: "x", dnsNames: ["cp.example.com"] })
      assert.match(yield* outcomeOf(shown, at, { lua_ssl_trusted_certificate: "system" }), /not known/)
      for (const text of [other.cert, Buffer.from(other.cert).toString("base64")]) {
        assert.strictEqual(yield* outcomeOf(shown, at, { lua_ssl_trusted_certificate: `system, ${text}` }), "connected")
      }
    })
  )
})
