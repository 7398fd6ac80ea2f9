/** Both planes while certificates are replaced under them: reference `hybrid-protocol-v1.md` §1.2. */
import { X509Certificate } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Queue, type Scope, SubscriptionRef } from "effect"
import * as TlsClusterTransport from "../../../src/layers/cluster-transport/TlsClusterTransport.ts"
import * as SqliteClient from "../../../src/layers/sqlite/SqliteClient.ts"
import * as StoreFile from "../../../src/layers/sqlite/StoreFile.ts"
import * as WebSocketDialer from "../../../src/layers/WebSocketDialer.ts"
import { ControlPlane } from "../../../src/programs/ControlPlane.ts"
import { ClusterDialer } from "../../../src/services/ClusterDialer.ts"
import { type ClusterCredentials, ClusterIdentity } from "../../../src/services/ClusterIdentity.ts"
import type { AdminListener, ClusterListener } from "../../../src/services/control/Listeners.ts"
import { Identity } from "../../../src/services/Identity.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { clusterPort, controlPlaneSettings, type Given } from "../../support/controlPlane.ts"
import { dial, join, next } from "../../support/outletClient.ts"
import { authority, leaf } from "../../support/pki.ts"
import { settingsLayer } from "../../support/settings.ts"

const digest = ({ cert }: CertificatePair): string => new X509Certificate(cert).fingerprint256

/** What a process holds that has this certificate, and has seen it take the place of a former one. */
const holding = (pair: CertificatePair, former?: CertificatePair): ClusterCredentials => ({
  cert: pair.cert,
  key: pair.key,
  fingerprint256: digest(pair),
  commonName: undefined,
  expiresAtMs: Number.MAX_SAFE_INTEGER,
  authorities: [pair.cert],
  memberAuthorities: [pair.cert],
  proxyAuthorities: [],
  former: former === undefined ? undefined : { ...former, fingerprint256: digest(former) }
})

const identityOf = (current: SubscriptionRef.SubscriptionRef<ClusterCredentials>) =>
  Layer.succeed(ClusterIdentity, { current })

const withControlPlane = <A, E>(
  first: ClusterCredentials,
  given: Given,
  test: (
    port: number,
    current: SubscriptionRef.SubscriptionRef<ClusterCredentials>
  ) => Effect.Effect<A, E, AdminListener | ClusterListener | Scope.Scope>
) =>
  Effect.gen(function* () {
    const current = yield* SubscriptionRef.make(first)
    const database = Layer.orDie(StoreFile.withTables(SqliteClient.layer(":memory:")))
    const layer = ControlPlane.layerFromSettings({ database, clusterIdentity: identityOf(current) }).pipe(
      Layer.provide(controlPlaneSettings({ cert: "unused", key: "unused" }, given)),
      Layer.provide(Logger.layer([]))
    )
    return yield* Effect.flatMap(clusterPort, (port) => test(port, current)).pipe(Effect.scoped, Effect.provide(layer))
  }).pipe(Effect.timeout("20 seconds"))

/** How a data plane's dial ends. */
const outcome = (port: number, held: ClusterCredentials) =>
  Effect.gen(function* () {
    const current = yield* SubscriptionRef.make(held)
    const layer = WebSocketDialer.layer.pipe(
      Layer.provide(TlsClusterTransport.layer),
      Layer.provide([
        identityOf(current),
        TrustedClock.layerWall,
        Layer.succeed(Identity, { nodeId: "5b1b701d-de2b-4588-9aa2-3b97061d9f52", hostname: "h", version: "3.9.0" }),
        settingsLayer({ cluster_control_plane: `127.0.0.1:${port}`, cluster_cert: "c", cluster_cert_key: "k" })
      ])
    )
    return yield* Effect.flatMap(ClusterDialer, ({ dial }) => Effect.as(dial, "joins")).pipe(
      Effect.catchTag("SessionEnd", ({ message }) =>
        Effect.succeed(
          /^the control plane's certificate/.test(message)
            ? "refuses"
            : /broke off/.test(message)
              ? "is refused"
              : message
        )
      ),
      Effect.scoped,
      Effect.provide(layer)
    )
  })

describe("a shared certificate that is being replaced (§1.2)", () => {
  it.live("keeps together whoever has seen the change, and whoever has only the new one with whom has it as well", () =>
    Effect.gen(function* () {
      const [old, fresh] = [yield* clusterCertificate, yield* clusterCertificate]
      const stages = { before: holding(old), during: holding(fresh, old), after: holding(fresh) }
      const expected = {
        before: { before: "joins", during: "joins", after: "refuses" },
        during: { before: "refuses", during: "joins", after: "joins" },
        after: { before: "refuses", during: "joins", after: "joins" }
      }
      const found: Record<string, Record<string, string>> = {}
      for (const [controlPlane, held] of Object.entries(stages)) {
        found[controlPlane] = yield* withControlPlane(held, {}, (port) =>
          Effect.all({
            before: outcome(port, stages.before),
            during: outcome(port, stages.during),
            after: outcome(port, stages.after)
          })
        )
      }
      assert.deepStrictEqual<unknown>(found, expected)
    })
  )

  it.live(
    "is shown from the next connection on; sessions that stand stay, and the former one is let in until it is forgotten",
    () =>
      Effect.gen(function* () {
        const [old, fresh] = [yield* clusterCertificate, yield* clusterCertificate]
        yield* withControlPlane(holding(old), {}, (port, current) =>
          Effect.gen(function* () {
            const standing = yield* join({ port, trusted: old, presented: old })
            yield* next(standing.heard, "Configured")
            yield* SubscriptionRef.set(current, holding(fresh, old))
            const isShown = (pair: CertificatePair) =>
              Effect.map(
                Effect.flatMap(dial({ port, trusted: pair, presented: fresh }), ({ heard }) => Queue.take(heard)),
                ({ _tag }) => _tag === "Opened"
              )
            while (!(yield* isShown(fresh))) yield* Effect.sleep("10 millis")
            assert.isFalse(yield* isShown(old))
            // A peer that trusts both already, and still has the former one.
            const late = yield* dial({ port, trusted: fresh, presented: old })
            yield* next(late.heard, "Opened")
            yield* SubscriptionRef.set(current, holding(fresh))
            let refused = false
            while (!refused) {
              const { heard } = yield* dial({ port, trusted: fresh, presented: old })
              refused = (yield* Queue.take(heard))._tag === "Ended"
            }
            standing.socket.ping("0".repeat(32))
            yield* next(standing.heard, "Pong")
          })
        )
      })
  )
})

describe("authorities that are replaced (§1.2)", () => {
  it.live("decide from the next connection on", () =>
    Effect.gen(function* () {
      const [root, other] = [yield* authority("root"), yield* authority("other root")]
      const own = yield* leaf(root, { commonName: "cp", dnsNames: ["cp.example.com"] })
      const node = yield* leaf(other, { commonName: "dp" })
      const given = { cluster_mtls: "pki", cluster_ca_cert: "unused" }
      const trusting = (...roots: ReadonlyArray<CertificatePair>) => ({
        ...holding(own),
        authorities: roots.map(({ cert }) => cert),
        memberAuthorities: roots.map(({ cert }) => cert)
      })
      yield* withControlPlane(trusting(root), given, (port, current) =>
        Effect.gen(function* () {
          const knock = Effect.fnUntraced(function* () {
            const { heard } = yield* dial({ port, trusted: root, servername: "cp.example.com", presented: node })
            return (yield* Queue.take(heard))._tag
          })
          assert.strictEqual(yield* knock(), "Ended")
          yield* SubscriptionRef.set(current, trusting(root, other))
          while ((yield* knock()) !== "Opened") yield* Effect.sleep("10 millis")
          yield* SubscriptionRef.set(current, trusting(root))
          while ((yield* knock()) !== "Ended") yield* Effect.sleep("10 millis")
        })
      )
    })
  )
})
