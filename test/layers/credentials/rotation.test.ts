/** ClusterIdentity over files that are replaced while it stands: `hybrid-protocol-v1.md` §1.2, §13. */
import { X509Certificate } from "node:crypto"
import { rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Queue, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { makeClusterCertificate } from "../../../src/layers/credentials/ClusterCertificate.ts"
import * as PemClusterIdentity from "../../../src/layers/credentials/PemClusterIdentity.ts"
import * as NodeDisk from "../../../src/layers/NodeDisk.ts"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import { ClusterIdentity } from "../../../src/services/ClusterIdentity.ts"
import { FileWatch } from "../../../src/services/FileWatch.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { fileWatch } from "../../support/fileWatch.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { settle } from "../../support/live.ts"
import { authority, leaf } from "../../support/pki.ts"
import { until } from "../../support/process.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { settingsLayer } from "../../support/settings.ts"

type Given = Partial<Record<SettingName, string>>

const replaced = "cluster credentials replaced; the next connection uses them"
const refused = "changed cluster credentials can't be used; the former ones stay"
const forgotten = "former cluster certificate counts no longer"

/** Files in a folder, whose changes the test tells by hand, so that no clock but the virtual one takes part. */
const stage = Effect.fnUntraced(function* (
  first: CertificatePair,
  given: Given = {},
  layer: typeof PemClusterIdentity.layer = PemClusterIdentity.layerToleratingExpiry
) {
  // Certificates are made by the real clock.
  yield* TestClock.setTime(Date.now())
  const folder = yield* temporaryFolder
  const at = (name: string) => join(folder, name)
  const watched = new Map<string, Queue.Queue<void>>()
  const watch = Layer.succeed(FileWatch, {
    watch: Effect.fnUntraced(function* (file: string) {
      const marks = yield* Queue.unbounded<void>()
      watched.set(file, marks)
      return { changed: Queue.take(marks) }
    })
  })
  const touch = Effect.fnUntraced(function* (file: string) {
    const marks = watched.get(file)
    if (marks !== undefined) yield* Queue.offer(marks, undefined)
    yield* settle
  })
  const write = Effect.fnUntraced(function* (files: Readonly<Record<string, string>>) {
    for (const [name, text] of Object.entries(files)) {
      yield* Effect.promise(() => writeFile(at(`${name}.new`), text))
      yield* Effect.promise(() => rename(at(`${name}.new`), at(name)))
    }
    for (const name of Object.keys(files)) yield* touch(at(name))
  })
  const writePair = ({ cert, key }: CertificatePair) => write({ "cluster.crt": cert, "cluster.key": key })
  yield* writePair(first)
  const logs = recordedLogs()
  const settings = { cluster_cert: at("cluster.crt"), cluster_cert_key: at("cluster.key"), ...given }
  const context = yield* Layer.build(
    layer.pipe(Layer.provide([watch, NodeDisk.layer, TrustedClock.layerWall, settingsLayer(settings), logs.layer]))
  )
  const { current } = Context.get(context, ClusterIdentity)
  const now = () => SubscriptionRef.getUnsafe(current)
  /** Reading takes real time, waiting virtual time: both go on until the event is there. */
  const told = Effect.fnUntraced(function* (message: string, count: number) {
    for (let i = 0; logs.of(message).length < count && i < 500; i++) {
      yield* TestClock.adjust("1 second")
      yield* Effect.promise(() => new Promise((done) => setTimeout(done, 10)))
    }
    assert.lengthOf(logs.of(message), count)
  })
  return { at, watched, touch, write, writePair, logs, now, told }
})

const same = (one: string, other: string): boolean => one.trim() === other.trim()

describe("a shared certificate that is replaced on disk (§1.2)", () => {
  it.effect("is current once its key is there too; the former one counts beside it for cluster_cert_overlap", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* clusterCertificate, yield* clusterCertificate]
      const { write, now, told, logs } = yield* stage(one, { cluster_cert_overlap: "3600" })
      assert.isUndefined(now().former)
      yield* write({ "cluster.crt": two.cert })
      yield* told(refused, 1)
      assert.isTrue(same(now().cert, one.cert))
      yield* write({ "cluster.key": two.key })
      yield* told(replaced, 1)
      const { cert, key, fingerprint256, former, authorities, expiresAtMs } = now()
      assert.isTrue(same(cert, two.cert) && same(key, two.key))
      assert.strictEqual(fingerprint256, new X509Certificate(two.cert).fingerprint256)
      assert.strictEqual(expiresAtMs, new X509Certificate(two.cert).validToDate.getTime())
      assert.deepStrictEqual(
        authorities.map((pem) => pem.trim()),
        [two.cert.trim()]
      )
      assert.strictEqual(former?.fingerprint256, new X509Certificate(one.cert).fingerprint256)
      assert.isTrue(same(former?.key ?? "", one.key))
      assert.deepInclude(logs.of(replaced)[0], { changed: "certificate, authorities", former_counts_for_seconds: 3600 })
      yield* TestClock.adjust("3000 seconds")
      yield* settle
      assert.isDefined(now().former)
      yield* TestClock.adjust("600 seconds")
      yield* told(forgotten, 1)
      assert.isUndefined(now().former)
      assert.deepStrictEqual(
        now().authorities.map((pem) => pem.trim()),
        [two.cert.trim()]
      )
      assert.notMatch(JSON.stringify(logs.lines), /PRIVATE KEY|MIG/)
    })
  )

  it.effect("twice within the overlap leaves the last two, and the time begins anew", () =>
    Effect.gen(function* () {
      const [one, two, three] = [yield* clusterCertificate, yield* clusterCertificate, yield* clusterCertificate]
      const { writePair, now, told } = yield* stage(one, { cluster_cert_overlap: "3600" })
      yield* writePair(two)
      yield* told(replaced, 1)
      yield* TestClock.adjust("3000 seconds")
      yield* writePair(three)
      yield* told(replaced, 2)
      yield* TestClock.adjust("3000 seconds")
      yield* settle
      assert.isTrue(same(now().cert, three.cert) && same(now().former?.cert ?? "", two.cert))
      yield* TestClock.adjust("600 seconds")
      yield* told(forgotten, 1)
    })
  )

  it.effect("leaves no former one when cluster_cert_overlap is 0", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* clusterCertificate, yield* clusterCertificate]
      const { writePair, now, told } = yield* stage(one, { cluster_cert_overlap: "0" })
      yield* writePair(two)
      yield* told(replaced, 1)
      assert.isTrue(same(now().cert, two.cert))
      assert.isUndefined(now().former)
      assert.lengthOf(now().authorities, 1)
    })
  )

  it.effect("by one that has expired, or by nothing that can be read, stays, each with the reason", () =>
    Effect.gen(function* () {
      const one = yield* clusterCertificate
      const { writePair, write, now, told, logs } = yield* stage(one)
      yield* writePair(yield* makeClusterCertificate({ now: new Date("1960-01-01T00:00:00Z"), days: 1 }))
      yield* told(refused, 1)
      assert.match(String(logs.of(refused)[0]?.reasons), /^cluster_cert: expected a certificate that has not expired/)
      yield* write({ "cluster.key": "rubbish", "cluster.crt": one.cert })
      yield* told(refused, 2)
      assert.match(
        String(logs.of(refused)[1]?.reasons),
        /cluster_cert_key: expected an unencrypted private key.*no PEM/
      )
      assert.notInclude(String(logs.of(refused)[1]?.reasons), "rubbish")
      assert.isTrue(same(now().cert, one.cert))
      assert.strictEqual(logs.of(replaced).length, 0)
    })
  )

  // docs/cluster-security.md, "Replacing certificates": what is wrong is not taken.
  it.effect("by one that is not valid yet stays, which is said once, until the new one is", () =>
    Effect.gen(function* () {
      const one = yield* clusterCertificate
      const later = yield* makeClusterCertificate({ now: new Date(Date.now() + 7_200_000), days: 60 })
      const { writePair, now, told, logs } = yield* stage(one)
      yield* writePair(later)
      yield* told(refused, 1)
      assert.match(String(logs.of(refused)[0]?.reasons), /^cluster_cert: expected a certificate that is valid already/)
      yield* TestClock.adjust("1 hour")
      yield* settle
      assert.isTrue(same(now().cert, one.cert))
      yield* TestClock.adjust("1 hour")
      yield* told(replaced, 1)
      assert.isTrue(same(now().cert, later.cert))
      assert.lengthOf(logs.of(refused), 1)
    })
  )

  it.effect("by itself changes nothing, and says nothing", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* clusterCertificate, yield* clusterCertificate]
      const { writePair, told, logs } = yield* stage(one)
      yield* writePair(one)
      yield* writePair(one)
      yield* writePair(two)
      yield* told(replaced, 1)
      assert.deepStrictEqual(
        logs.lines.map(({ message }) => message),
        [replaced]
      )
    })
  )
})

describe("what else is followed (§13)", () => {
  it.effect("in the pki modes the authorities, and no former certificate counts", () =>
    Effect.gen(function* () {
      const [root, next] = [yield* authority("root"), yield* authority("next root")]
      const [one, two] = [yield* leaf(root, { commonName: "dp" }), yield* leaf(next, { commonName: "dp" })]
      const folder = yield* temporaryFolder
      const [ca, extra] = [join(folder, "ca.crt"), join(folder, "extra.crt")]
      yield* Effect.promise(() => Promise.all([writeFile(ca, root.cert), writeFile(extra, root.cert)]))
      const given = { cluster_mtls: "pki", cluster_ca_cert: ca, lua_ssl_trusted_certificate: `system, ${extra}` }
      const { writePair, watched, touch, now, told, logs, at } = yield* stage(one, given)
      assert.deepStrictEqual([...watched.keys()], [at("cluster.crt"), at("cluster.key"), ca, extra])
      yield* Effect.promise(() => writeFile(ca, `${root.cert}\n${next.cert}`))
      yield* touch(ca)
      yield* told(replaced, 1)
      assert.strictEqual(logs.of(replaced)[0]?.changed, "authorities")
      assert.isTrue(now().authorities.some((pem) => same(pem, next.cert)))
      yield* writePair(two)
      yield* told(replaced, 2)
      assert.isUndefined(now().former)
    })
  )

  it.effect("nothing of what stands in the settings themselves, nor what this role does not read", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const inline = { cluster_cert: pair.cert, cluster_cert_key: Buffer.from(pair.key).toString("base64") }
      const ignored = { cluster_ca_cert: "/ignored", lua_ssl_trusted_certificate: "/ignored" }
      assert.deepStrictEqual([...(yield* stage(pair, { ...inline, ...ignored })).watched.keys()], [])
    })
  )

  it.effect("lua_ssl_trusted_certificate for an https:// proxy also in the shared mode", () =>
    Effect.gen(function* () {
      const [pair, root] = [yield* clusterCertificate, yield* authority("proxy root")]
      const file = join(yield* temporaryFolder, "proxy.crt")
      yield* Effect.promise(() => writeFile(file, root.cert))
      const given = { cluster_use_proxy: "on", proxy_server: "https://p:1", lua_ssl_trusted_certificate: file }
      const { now, watched } = yield* stage(pair, given)
      assert.deepStrictEqual(
        now().proxyAuthorities.map((pem) => pem.trim()),
        [root.cert.trim()]
      )
      assert.lengthOf(now().authorities, 1)
      assert.include([...watched.keys()], file)
    })
  )

  it.effect("on a control plane, unless the new common name would let nobody in", () =>
    Effect.gen(function* () {
      const root = yield* authority("root")
      const one = yield* leaf(root, { commonName: "cp.eu.example.com" })
      const given = { role: "control_plane", cluster_mtls: "pki_check_cn", cluster_ca_cert: root.cert }
      const { writePair, now, told, logs } = yield* stage(one, given, PemClusterIdentity.layer)
      yield* writePair(yield* leaf(root, { commonName: "nowhere" }))
      yield* told(refused, 1)
      assert.match(String(logs.of(refused)[0]?.reasons), /^cluster_allowed_common_names: /)
      assert.strictEqual(now().commonName, "cp.eu.example.com")
    })
  )
})

describe("real files", () => {
  it.live("that are renamed over are taken within a few seconds", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* clusterCertificate, yield* clusterCertificate]
      const folder = yield* temporaryFolder
      const put = ({ cert, key }: CertificatePair) =>
        Effect.promise(async () => {
          for (const [name, text] of Object.entries({ "c.crt": cert, "c.key": key })) {
            await writeFile(join(folder, `${name}.new`), text)
            await rename(join(folder, `${name}.new`), join(folder, name))
          }
        })
      yield* put(one)
      const settings = settingsLayer({ cluster_cert: join(folder, "c.crt"), cluster_cert_key: join(folder, "c.key") })
      const logs = recordedLogs()
      yield* Effect.gen(function* () {
        const { current } = yield* ClusterIdentity
        yield* put(two)
        yield* until(() => same(SubscriptionRef.getUnsafe(current).cert, two.cert))
      }).pipe(
        Effect.provide(
          PemClusterIdentity.layer.pipe(Layer.provide([fileWatch, TrustedClock.layerWall, settings, logs.layer]))
        )
      )
      assert.deepStrictEqual(
        logs.lines.map(({ message }) => message),
        [replaced]
      )
    })
  )
})
