/** A whole node, on real files, whose cluster certificate is replaced: `faults.md`, "2.8.4.0 encrypted cache dead after restart". */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { cacheNonceLength, decryptCache, encryptCache } from "../../src/model/CacheCipher.ts"
import { cacheKeyFromCluster, makeCacheKey } from "../../src/model/CacheKey.ts"
import { runConfigSeal } from "../../src/programs/ConfigSeal.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import type { GivenSettings } from "../../src/programs/parts.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { type Event, live } from "../crash/life.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { contentOf, plainFile } from "../support/diskCache.ts"
import { temporaryFolder } from "../support/folder.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const put = Effect.fnUntraced(function* (folder: string) {
  const { cert, key } = yield* clusterCertificate
  yield* Effect.promise(() => writeFile(join(folder, "cert.pem"), cert))
  yield* Effect.promise(() => writeFile(join(folder, "key.pem"), key))
})

it.live("reads its encrypted cache after a restart with another certificate, replaced just before the stop", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const settings: GivenSettings = {
      prefix: join(folder, "prefix"),
      cluster_cert: join(folder, "cert.pem"),
      cluster_cert_key: join(folder, "key.pem"),
      config_cache_encryption: "cluster_key"
    }
    yield* put(folder)
    const said: Array<Event> = []
    const say = (event: Event) => void said.push(event)
    const life = { disk: NodeDisk.layer, settings, say }
    yield* Effect.scoped(live({ ...life, pushes: [1, 2], quiet: put(folder) }))
    const bytes = yield* Effect.promise(() => readFile(join(folder, "prefix", "config.json.gz")))
    assert.strictEqual(bytes.subarray(0, 8).toString("latin1"), "HOLDFAST")
    said.length = 0
    yield* Effect.scoped(live({ ...life, pushes: [], quiet: Effect.void }))
    assert.deepStrictEqual(said[0], { _tag: "Started", serves: 2 })
  })
)

// docs/cache-encryption.md: "every key that any setting names is read with, whatever the mode".
it.live("is read by cluster_cert_key on a node that goes on by itself, while a setting names that", () =>
  Effect.gen(function* () {
    const { cert, key } = yield* clusterCertificate
    const prefix = yield* temporaryFolder
    const file = encryptCache(plainFile(table("/a")), cacheKeyFromCluster(key), new Uint8Array(cacheNonceLength))
    const listeners = { proxy_listen: "127.0.0.1:0", status_listen: "127.0.0.1:0" }
    const settings = settingsLayer({ prefix, ...listeners, cluster_cert: cert, cluster_cert_key: key })
    yield* Effect.promise(() => writeFile(join(prefix, "config.json.gz"), file))
    const served = yield* Effect.flatMap(LiveConfig, ({ state }) => SubscriptionRef.get(state)).pipe(
      Effect.provide(DataPlane.layerFromSettings().pipe(Layer.provide(settings)))
    )
    assert.strictEqual(served.source, "disk")
  })
)

it.live("is opened, mended and encrypted by `holdfast config seal`, in the environment of its node", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const [file, opened] = [join(folder, "config.json.gz"), join(folder, "opened.json.gz")] as const
    const digits = "1".repeat(64)
    const key = makeCacheKey(Uint8Array.from(Buffer.from(digits, "hex")))
    const write = (path: string, bytes: Uint8Array) => Effect.promise(() => writeFile(path, bytes))
    const read = (path: string) => Effect.promise(() => readFile(path))
    const seal = (from: string, to: string, env: Readonly<Record<string, string>>) =>
      runConfigSeal({ flags: { out: to }, operands: [from], env })
    const keys = { HOLDFAST_CONFIG_CACHE_KEY: digits }

    yield* write(file, encryptCache(plainFile(table("/a")), key, new Uint8Array(cacheNonceLength)))
    const without = yield* Effect.flip(seal(file, opened, {}))
    assert.include(without.message, `expected the key ${key.id}`)
    yield* seal(file, opened, keys)
    assert.deepInclude(contentOf(yield* read(opened)), table("/a"))

    yield* write(opened, plainFile(table("/mended")))
    yield* seal(opened, file, { ...keys, HOLDFAST_CONFIG_CACHE_ENCRYPTION: "environment" })
    const decrypted = decryptCache(yield* read(file), [key])
    assert(decrypted._tag === "Right")
    assert.deepInclude(contentOf(decrypted.bytes), table("/mended"))
  })
)
