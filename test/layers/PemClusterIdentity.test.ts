/** The cluster certificate: how it is made, and how it is read from settings. `hybrid-protocol-v1.md` §1.2, §13. */
import { X509Certificate } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, SubscriptionRef } from "effect"
import { makeClusterCertificate } from "../../src/layers/credentials/ClusterCertificate.ts"
import * as PemClusterIdentity from "../../src/layers/credentials/PemClusterIdentity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { ClusterIdentity } from "../../src/services/ClusterIdentity.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { fileWatch } from "../support/fileWatch.ts"
import { temporaryFolder } from "../support/folder.ts"
import { keyLike } from "../support/pems.ts"
import { authority, leaf } from "../support/pki.ts"
import { settingsLayer } from "../support/settings.ts"

type Given = Partial<Record<SettingName, string>>

const loaded = Effect.flatMap(ClusterIdentity, ({ current }) => SubscriptionRef.get(current))

const identity = (cluster_cert: string, cluster_cert_key: string, layer = PemClusterIdentity.layer) =>
  loaded.pipe(
    Effect.provide(
      layer.pipe(
        Layer.provide([fileWatch, TrustedClock.layerWall]),
        Layer.provide(
          settingsLayer({
            ...(cluster_cert === "" ? {} : { cluster_cert }),
            ...(cluster_cert_key === "" ? {} : { cluster_cert_key })
          })
        ),
        Layer.provide(Logger.layer([]))
      )
    )
  )

const faultsOf = (cert: string, key: string) =>
  Effect.map(Effect.flip(identity(cert, key)), ({ faults, exitCode }) => {
    assert.strictEqual(exitCode, 2)
    return faults.map(({ path, message, value }) => `${path.join(".")}: ${message} ${String(value)}`)
  })

const base64 = (text: string): string => Buffer.from(text).toString("base64")

describe("a certificate that we make", () => {
  it.live("is as the protocol wants it", () =>
    Effect.gen(function* () {
      const now = new Date("2026-01-02T03:04:05Z")
      const { cert, key } = yield* makeClusterCertificate({ now })
      const made = new X509Certificate(cert)
      assert.strictEqual(made.subject, "CN=kong_clustering")
      assert.strictEqual(made.issuer, "CN=kong_clustering")
      assert.strictEqual(made.subjectAltName, undefined)
      assert.isFalse(made.ca)
      assert.isTrue(made.verify(made.publicKey))
      assert.strictEqual(made.publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1")
      assert.strictEqual(made.validToDate.getTime() - now.getTime(), 1095 * 86_400_000)
      assert.isTrue(made.validFromDate <= now)
      assert.match(key, /^-----BEGIN (PRIVATE KEY)-----/)
    })
  )

  it.live("may outlive 2049, where dates are written in another way", () =>
    Effect.gen(function* () {
      const { cert } = yield* makeClusterCertificate({ now: new Date("2049-06-01T00:00:00Z"), days: 400 })
      assert.strictEqual(new X509Certificate(cert).validToDate.toISOString(), "2050-07-06T00:00:00.000Z")
    })
  )
})

describe("settings", () => {
  it.live("hold a path, PEM text or base64 of it", () =>
    Effect.gen(function* () {
      const { cert, key } = yield* clusterCertificate
      const folder = yield* temporaryFolder
      const [certFile, keyFile] = [join(folder, "cluster.crt"), join(folder, "cluster.key")]
      yield* Effect.promise(() => Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]))
      for (const [a, b] of [
        [cert, key],
        [base64(cert), base64(key)],
        [certFile, keyFile]
      ] as const) {
        const found = yield* identity(a, b)
        assert.strictEqual(found.cert.trim(), cert.trim())
        assert.strictEqual(found.key.trim(), key.trim())
        assert.strictEqual(found.fingerprint256, new X509Certificate(cert).fingerprint256)
      }
    })
  )

  it.live("that are both wrong are both told, and a key is never shown", () =>
    Effect.gen(function* () {
      const [cert, key] = yield* faultsOf("/no/such/file", "c2VjcmV0LWtleQ==")
      assert.include(cert ?? "", "cluster_cert: expected a certificate")
      assert.include(cert ?? "", "ENOENT")
      assert.include(cert ?? "", "/no/such/file")
      assert.include(key ?? "", "cluster_cert_key: expected an unencrypted private key")
      assert.notInclude(key ?? "", "c2VjcmV0LWtleQ")
    })
  )

  it.live("without a pair, of two pairs, or of rubbish are refused", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* clusterCertificate, yield* clusterCertificate]
      assert.strictEqual((yield* faultsOf("", "")).length, 2)
      assert.include((yield* faultsOf(one.cert, two.key)).join(), "the key that belongs to cluster_cert")
      assert.strictEqual((yield* faultsOf("-----BEGIN CERTIFICATE-----\nx", `${keyLike}\nx`)).length, 2)
    })
  )

  it.live("with a certificate that has expired stop the start, unless the node can live without its peer", () =>
    Effect.gen(function* () {
      const { cert, key } = yield* makeClusterCertificate({ now: new Date("2020-01-01T00:00:00Z"), days: 1 })
      assert.include((yield* faultsOf(cert, key)).join(), "2020-01-02T00:00:00.000Z")
      const tolerated = yield* identity(cert, key, PemClusterIdentity.layerToleratingExpiry)
      assert.strictEqual(tolerated.expiresAtMs, Date.parse("2020-01-02T00:00:00Z"))
    })
  )
})

it.live(
  "the files are read by way of Disk, as everything that depends on the machine is (architecture.md, law 2)",
  () =>
    Effect.gen(function* () {
      const { cert, key } = yield* clusterCertificate
      const disk = VirtualDisk.make()
      for (const [path, text] of Object.entries({ "/tls/c.crt": cert, "/tls/c.key": key }))
        disk.hand.write(path, new TextEncoder().encode(text))
      const settings = settingsLayer({ cluster_cert: "/tls/c.crt", cluster_cert_key: "/tls/c.key" })
      const read = yield* loaded.pipe(
        Effect.provide(
          PemClusterIdentity.layer.pipe(
            Layer.provide(disk.layer),
            Layer.provide([fileWatch, TrustedClock.layerWall, settings, Logger.layer([])])
          )
        )
      )
      assert.strictEqual(read.cert, cert)
    })
)

describe("authorities (§1.2, §13)", () => {
  const load = (given: Given, layer: typeof PemClusterIdentity.layer) =>
    loaded.pipe(
      Effect.provide(
        layer.pipe(Layer.provide([fileWatch, TrustedClock.layerWall, settingsLayer(given), Logger.layer([])]))
      )
    )

  it.live("of the pki modes are read from each form, bundles included; a control plane trusts its own alone", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* authority("one"), yield* authority("two")]
      const pair = yield* leaf(one, { commonName: "dp" })
      const file = join(yield* temporaryFolder, "ca.pem")
      yield* Effect.promise(() => writeFile(file, `a comment\n${one.cert}${two.cert}`))
      const given = {
        cluster_mtls: "pki",
        cluster_cert: pair.cert,
        cluster_cert_key: pair.key,
        cluster_ca_cert: file,
        lua_ssl_trusted_certificate: base64(two.cert)
      }
      const names = ({ authorities }: { readonly authorities: ReadonlyArray<string> }) =>
        authorities.map((pem) => new X509Certificate(pem).subject)
      assert.deepStrictEqual(names(yield* load(given, PemClusterIdentity.layer)), ["CN=one", "CN=two"])
      assert.deepStrictEqual(names(yield* load(given, PemClusterIdentity.layerToleratingExpiry)), [
        "CN=one",
        "CN=two",
        "CN=two"
      ])
      const system = { ...given, lua_ssl_trusted_certificate: "system" }
      assert.isAbove((yield* load(system, PemClusterIdentity.layerToleratingExpiry)).authorities.length, 50)
    })
  )

  it.live("that can't be read are told together with what is wrong with the pair", () =>
    Effect.gen(function* () {
      const given = {
        cluster_mtls: "pki",
        cluster_cert: "/no/such/cert",
        cluster_cert_key: "/no/such/key",
        cluster_ca_cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        lua_ssl_trusted_certificate: "system, /no/such/ca"
      }
      const { faults } = yield* Effect.flip(load(given, PemClusterIdentity.layerToleratingExpiry))
      assert.deepStrictEqual(
        faults.map(({ path }) => path[0]),
        ["cluster_cert", "cluster_cert_key", "cluster_ca_cert", "lua_ssl_trusted_certificate"]
      )
    })
  )

  it.live("are the certificate itself in the shared mode", () =>
    Effect.gen(function* () {
      const { cert, key } = yield* clusterCertificate
      const shared = { cluster_cert: cert, cluster_cert_key: key, cluster_ca_cert: "/ignored" }
      assert.deepStrictEqual((yield* load(shared, PemClusterIdentity.layer)).authorities, [cert])
    })
  )
})
