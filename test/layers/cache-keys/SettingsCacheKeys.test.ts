/** Keys of the encrypted cache: `resilience.md` §2 (LMDB, key derived from the cluster certificate's key). */
import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue, Stream, SubscriptionRef } from "effect"
import * as SettingClusterKeys from "../../../src/layers/cache-keys/SettingClusterKeys.ts"
import * as SettingsCacheKeys from "../../../src/layers/cache-keys/SettingsCacheKeys.ts"
import { type CacheKey, cacheKeyFromCluster, makeCacheKey } from "../../../src/model/CacheKey.ts"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import { CacheKeys } from "../../../src/services/CacheKeys.ts"
import { ClusterKeys } from "../../../src/services/ClusterKeys.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { settle } from "../../support/live.ts"
import { settingsLayer } from "../../support/settings.ts"

const pem = () =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString()
const [first, second, third] = [pem(), pem(), pem()]
const idOf = (text: string) => cacheKeyFromCluster(text).id

const hex = (digit: string) => digit.repeat(64)
const written = (digit: string) => makeCacheKey(Uint8Array.from(Buffer.from(hex(digit), "hex"))).id
const joined = { cluster_control_plane: "cp:8005", cluster_cert: "/tls/cert.pem", cluster_cert_key: "/tls/key.pem" }

const make = Effect.fnUntraced(function* (
  given: Partial<Record<SettingName, string>>,
  files: Readonly<Record<string, string>> = {},
  cluster: string | undefined = first
) {
  const disk = VirtualDisk.make()
  const put = (path: string, text: string) => disk.hand.write(path, new TextEncoder().encode(text))
  for (const [path, text] of Object.entries(files)) put(path, text)
  const replaced = yield* Queue.unbounded<string>()
  const clusterKeys = Layer.succeed(ClusterKeys, {
    current: Effect.succeed(cluster),
    changes: Stream.fromQueue(replaced)
  })
  const keys = yield* Layer.build(SettingsCacheKeys.layer).pipe(
    Effect.flatMap((context) => CacheKeys.pipe(Effect.provide(context))),
    Effect.provide([disk.layer, clusterKeys, settingsLayer(given)])
  )
  const ids = Effect.map(SubscriptionRef.get(keys.known), ({ newest, readable }) => ({
    newest: newest?.id,
    readable: readable.map(({ id }: CacheKey) => id)
  }))
  return { keys, ids, put, replaced }
})

/** As a node without a cluster gives it. */
const alone = Effect.fnUntraced(function* (
  given: Partial<Record<SettingName, string>>,
  files: Readonly<Record<string, string>> = {}
) {
  const disk = VirtualDisk.make()
  for (const [path, text] of Object.entries(files)) disk.hand.write(path, new TextEncoder().encode(text))
  const keys = yield* CacheKeys.pipe(
    Effect.provide(SettingsCacheKeys.layer),
    Effect.provide(SettingClusterKeys.layer),
    Effect.provide([disk.layer, settingsLayer(given)])
  )
  return { ...keys, disk }
})

describe("keys of the cache, by settings", () => {
  it.effect("write with what the mode says and read with whatever is named", () =>
    Effect.gen(function* () {
      const named = { ...joined, config_cache_key_file: "/keys", config_cache_key: `${hex("3")},${hex("4")}` }
      const previous = { ...named, cluster_cert_key_previous: "/tls/former.pem" }
      const files = { "/keys": `# newest first\n${hex("1")}\n${hex("2")}\n`, "/tls/former.pem": second }
      const all = [idOf(first), ...["1", "2", "3", "4"].map(written), idOf(second)].sort()
      const newestOf = { off: undefined, file: written("1"), environment: written("3"), cluster_key: idOf(first) }
      for (const [mode, newest] of Object.entries(newestOf)) {
        const { ids } = yield* make({ ...previous, config_cache_encryption: mode }, files)
        const known = yield* ids
        assert.strictEqual(known.newest, newest, mode)
        assert.deepStrictEqual([...known.readable].sort(), all, mode)
      }
    })
  )

  it.effect("are none where none is named", () =>
    Effect.gen(function* () {
      const { known } = yield* alone({})
      assert.deepStrictEqual(yield* SubscriptionRef.get(known), { newest: undefined, readable: [] })
    })
  )

  it.effect("are cluster_cert_key's on a node on its own, too, where a setting names one", () =>
    Effect.gen(function* () {
      const given = { cluster_cert_key: "/tls/key.pem", config_cache_encryption: "cluster_key" }
      const { known, lookAgain, disk } = yield* alone(given, { "/tls/key.pem": first })
      const readable = Effect.map(SubscriptionRef.get(known), (keys) => keys.readable.map(({ id }) => id))
      assert.deepStrictEqual(yield* readable, [idOf(first)])
      disk.hand.write("/tls/key.pem", new TextEncoder().encode(second))
      yield* lookAgain
      assert.deepStrictEqual(yield* readable, [idOf(second), idOf(first)])
      const missing = yield* Effect.flip(alone(given))
      assert.match(missing.message, /^cluster_cert_key: expected an unencrypted private key.*ENOENT/)
    })
  )

  it.effect("stop the start when they can't be read: all faults at once, and no key in any", () =>
    Effect.gen(function* () {
      const given = {
        ...joined,
        config_cache_encryption: "file",
        config_cache_key_file: "/missing",
        cluster_cert_key_previous: "/nowhere"
      }
      const missing = yield* Effect.flip(make(given))
      assert.deepStrictEqual(missing.faults, [
        {
          path: ["config_cache_key_file"],
          message: "expected the path of a readable file of keys (ENOENT)",
          value: "/missing"
        },
        {
          path: ["cluster_cert_key_previous"],
          message: "expected an unencrypted private key: a path, PEM text or base64 of PEM (ENOENT)"
        }
      ])
      assert.strictEqual(missing.exitCode, 2)
      const files = { "/missing": `${hex("1")}\nsecret`, "/nowhere": "-----BEGIN SECRET-----" }
      const wrong = yield* Effect.flip(make(given, files))
      assert.lengthOf(wrong.faults, 2)
      assert.notMatch(JSON.stringify(wrong.faults), /1111|SECRET|"secret/)
      const nobody = yield* Effect.flip(make({ ...joined, config_cache_encryption: "cluster_key" }, {}, ""))
      assert.match(nobody.message, /cluster_cert_key/)
    })
  )

  it.effect("keep the former cluster key until everything is under the new one", () =>
    Effect.gen(function* () {
      const { keys, ids, replaced } = yield* make({ ...joined, config_cache_encryption: "cluster_key" })
      const newest = Effect.map(SubscriptionRef.get(keys.known), (known) => known.newest)
      yield* Queue.offer(replaced, second)
      yield* settle
      assert.deepStrictEqual(yield* ids, { newest: idOf(second), readable: [idOf(second), idOf(first)] })
      const passUnderSecond = yield* newest
      yield* Queue.offer(replaced, third)
      yield* Queue.offer(replaced, "half a fi")
      yield* settle
      // A pass that began under the second key says nothing of the third.
      yield* keys.settled(passUnderSecond)
      assert.deepStrictEqual(yield* ids, {
        newest: idOf(third),
        readable: [idOf(third), idOf(second), idOf(first)]
      })
      yield* keys.settled(yield* newest)
      assert.deepStrictEqual(yield* ids, { newest: idOf(third), readable: [idOf(third)] })
    })
  )

  it.effect("come back with a certificate that comes back", () =>
    Effect.gen(function* () {
      const { ids, replaced } = yield* make({ ...joined, config_cache_encryption: "cluster_key" })
      for (const each of [second, first]) yield* Queue.offer(replaced, each)
      yield* settle
      assert.deepStrictEqual(yield* ids, { newest: idOf(first), readable: [idOf(first), idOf(second)] })
    })
  )

  it.effect("are looked at again on the disk, for the next start will find what stands there", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* clusterCertificate, yield* clusterCertificate]
      const given = { ...joined, config_cache_encryption: "cluster_key" }
      const { keys, ids, put } = yield* make(given, { "/tls/cert.pem": one.cert, "/tls/key.pem": one.key }, one.key)
      yield* keys.lookAgain
      assert.strictEqual((yield* ids).newest, idOf(one.key))
      put("/tls/key.pem", "torn")
      yield* keys.lookAgain
      assert.strictEqual((yield* ids).newest, idOf(one.key))
      put("/tls/cert.pem", other.cert)
      put("/tls/key.pem", other.key)
      yield* keys.lookAgain
      assert.deepStrictEqual(yield* ids, { newest: idOf(other.key), readable: [idOf(other.key), idOf(one.key)] })
    })
  )

  // faults.md, "2.8.4.0 encrypted cache dead after restart": a cache under a key that no start accepts is none.
  it.effect(
    "stay the former ones while the key on the disk does not belong to cluster_cert: no start would take it",
    () =>
      Effect.gen(function* () {
        const [one, other] = [yield* clusterCertificate, yield* clusterCertificate]
        const given = { ...joined, config_cache_encryption: "cluster_key" }
        const { keys, ids, put } = yield* make(given, { "/tls/cert.pem": one.cert, "/tls/key.pem": other.key }, one.key)
        yield* keys.lookAgain
        assert.deepStrictEqual(yield* ids, { newest: idOf(one.key), readable: [idOf(one.key)] })
        for (const half of ["", "torn"]) {
          put("/tls/cert.pem", half)
          yield* keys.lookAgain
          assert.strictEqual((yield* ids).newest, idOf(one.key))
        }
        put("/tls/cert.pem", other.cert)
        yield* keys.lookAgain
        assert.strictEqual((yield* ids).newest, idOf(other.key))
      })
  )

  it.effect("don't follow the cluster's when another mode writes", () =>
    Effect.gen(function* () {
      const given = { ...joined, config_cache_encryption: "environment", config_cache_key: hex("3") }
      const { keys, ids, put } = yield* make(given, { "/tls/key.pem": first })
      put("/tls/key.pem", second)
      yield* keys.lookAgain
      assert.deepStrictEqual(yield* ids, { newest: written("3"), readable: [written("3"), idOf(first)] })
    })
  )
})
