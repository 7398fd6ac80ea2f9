/** Which store the settings ask for (`resilience.md` §5.1), and that none is one where they ask for none. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as WorkerConfigStorage from "../../../src/layers/object-storage/WorkerConfigStorage.ts"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import { ConfigStorage } from "../../../src/services/ObjectStore.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { bytesOf } from "../../conformance/disk.ts"
import { textAt } from "../../conformance/objectStore.ts"
import { startScriptedStore } from "../../support/scriptedStore.ts"
import { settingsLayer } from "../../support/settings.ts"

const on = {
  cluster_fallback_config_import: "on",
  role: "data_plane",
  cluster_control_plane: "cp:8005",
  cluster_cert: "c",
  cluster_cert_key: "k"
}

const storeFor = (given: Partial<Record<SettingName, string>>, env: Readonly<Record<string, string>> = {}) => {
  const disk = VirtualDisk.make()
  const layer = WorkerConfigStorage.layerOf(env).pipe(Layer.provide([settingsLayer(given), disk.layer]))
  return Effect.map(Layer.build(layer), (context) => ({ store: Layer.succeedContext(context), disk }))
}

const built = (given: Partial<Record<SettingName, string>>, env: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(storeFor(given, env), ({ store, disk }) =>
    Effect.map(ConfigStorage, (found) => ({ store: found, disk })).pipe(Effect.provide(store))
  )

describe("the store of cluster_fallback_config_storage", () => {
  it.live("is none while nothing is exported or imported", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* built({})).store)
      assert.isUndefined((yield* built({ cluster_fallback_config_storage: "s3://bucket" })).store)
    })
  )

  it.live("is a folder over the node's own disk", () =>
    Effect.gen(function* () {
      const { store, disk } = yield* built({ ...on, cluster_fallback_config_storage: "file:///shared" })
      yield* Effect.orDie(disk.disk.makeFolder("/shared"))
      assert.strictEqual(store?.place, "file:///shared")
      yield* store?.write("a", { bytes: bytesOf("one"), contentType: "text/plain", expects: { _tag: "Nothing" } }) ??
        Effect.void
      assert.deepStrictEqual(yield* Effect.orDie(disk.disk.list("/shared")), ["a"])
    })
  )

  it.live("is a bucket by way of the worker, with what is added to each PutObject", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* startScriptedStore(() => ({ headers: { etag: '"1"' }, body: "one" }))
      const { store } = yield* built(
        {
          ...on,
          cluster_fallback_config_storage: "s3://bucket/prefix",
          cluster_fallback_export_s3_config: '{"ServerSideEncryption":"AES256"}'
        },
        { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret", AWS_CONFIG_STORAGE_ENDPOINT: url }
      )
      assert(store !== undefined)
      assert.strictEqual(store.place, "s3://bucket/prefix")
      assert.strictEqual(yield* textAt(store, "a"), "one")
      yield* store.write("a", { bytes: bytesOf("one"), contentType: "text/plain", expects: { _tag: "Nothing" } })
      assert.strictEqual(asked[1]?.headers["x-amz-server-side-encryption"], "AES256")
    })
  )
})
