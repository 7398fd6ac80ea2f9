/** Whole programs over a shared folder: what one exported, a new node serves while nobody is there (`resilience.md` §5). */
import { mkdir, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { isRecord } from "../../src/model/Entity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { StatusListener } from "../../src/services/StatusListener.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { call, clusterPort, memoryControlPlane } from "../support/controlPlane.ts"
import { temporaryFolder } from "../support/folder.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const dataPlane = (
  pair: CertificatePair,
  prefix: string,
  controlPlane: number,
  given: Partial<Record<SettingName, string>>
) =>
  DataPlane.layerFromSettings().pipe(
    Layer.provide(
      settingsLayer({
        prefix,
        proxy_listen: "127.0.0.1:0",
        status_listen: "127.0.0.1:0",
        cluster_control_plane: `127.0.0.1:${controlPlane}`,
        cluster_cert: pair.cert,
        cluster_cert_key: pair.key,
        ...given
      })
    ),
    Layer.provide(Logger.layer([]))
  )

const status = Effect.gen(function* () {
  const port = (yield* StatusListener).addresses[0]?.port
  return yield* Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/status`)).json())
})

const eventually = <R>(ask: Effect.Effect<boolean, unknown, R>): Effect.Effect<void, never, R> =>
  Effect.flatMap(
    Effect.orElseSucceed(ask, () => false),
    (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), eventually(ask)))
  )

const isThere = (folder: string, name: string) =>
  Effect.map(
    Effect.promise(() => readdir(folder).catch(() => [])),
    (names) => names.some((each) => each === name)
  )

const inside = (text: string) => JSON.parse(text)

const postConfig = Effect.gen(function* () {
  const { services, routes } = table("/a")
  const reply = yield* call("POST", "/config", { _format_version: "3.0", services, routes })
  assert.isBelow(reply.status, 300, reply.text)
})

describe("object storage between whole nodes", () => {
  it.live("a control plane exports, and a node that never met it serves what it exported", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const folder = yield* temporaryFolder
      const shared = join(folder, "shared")
      const storage = { cluster_fallback_config_storage: `file://${shared}` }
      yield* Effect.promise(() => mkdir(shared))
      yield* Effect.gen(function* () {
        yield* postConfig
        yield* eventually(isThere(shared, "latest.json.gz"))
      }).pipe(
        Effect.provide(
          memoryControlPlane(pair, {
            ...storage,
            cluster_fallback_config_export: "on",
            cluster_fallback_config_export_delay: "0"
          })
        )
      )
      const plain = inside(yield* Effect.promise(() => readFile(join(shared, "3.9.0.0", "config.json"), "utf8")))
      assert.deepEqual(plain.routes[0].paths, ["/a"])
      assert.notProperty(plain, "_holdfast")
      const zipped = yield* Effect.promise(() => readFile(join(shared, "latest.json.gz")))
      const envelope = inside(gunzipSync(zipped).toString())
      assert.isNumber(envelope._holdfast.sequence)
      yield* Effect.gen(function* () {
        yield* eventually(Effect.map(status, ({ configuration }) => configuration.source === "object_storage"))
        const told = yield* status
        assert.strictEqual(told.configuration.routes, 1)
        assert.strictEqual(told.configuration.hash, envelope._holdfast.hash)
        assert.strictEqual(told.export.state, "off")
      }).pipe(
        Effect.provide(dataPlane(pair, join(folder, "dp"), 1, { ...storage, cluster_fallback_config_import: "on" }))
      )
      assert.isTrue(yield* isThere(join(folder, "dp"), "config.json.gz"), "cached at once")
    }).pipe(Effect.scoped, Effect.timeout("30 seconds"))
  )

  it.live("a control plane that comes up with an empty store takes nobody's configuration away", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const folder = yield* temporaryFolder
      const exporting = {
        cluster_fallback_config_storage: `file://${folder}`,
        cluster_fallback_config_export: "on",
        cluster_fallback_config_export_delay: "0"
      }
      const latest = Effect.promise(() => readFile(join(folder, "latest.json.gz")))
      yield* Effect.gen(function* () {
        yield* postConfig
        yield* eventually(isThere(folder, "latest.json.gz"))
      }).pipe(Effect.provide(memoryControlPlane(pair, exporting)))
      const good = yield* latest
      yield* Effect.gen(function* () {
        // Far longer than its first export takes.
        yield* Effect.sleep("1 second")
        assert.deepEqual(yield* latest, good)
        yield* call("POST", "/services", { name: "s", host: "example.com" })
        yield* eventually(Effect.map(latest, (bytes) => !bytes.equals(good)))
      }).pipe(Effect.provide(memoryControlPlane(pair, exporting)))
    }).pipe(Effect.scoped, Effect.timeout("30 seconds"))
  )

  it.live("a data plane exports what its control plane gave, and says so", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const folder = yield* temporaryFolder
      const shared = join(folder, "shared")
      yield* Effect.promise(() => mkdir(shared))
      yield* Effect.gen(function* () {
        yield* postConfig
        const port = yield* clusterPort
        yield* Effect.gen(function* () {
          yield* eventually(Effect.map(status, (told) => isRecord(told.export) && told.export.state === "ok"))
          const told = yield* status
          assert.strictEqual(told.export.exported_hash, told.configuration.hash)
          assert.strictEqual(told.export.place, `file://${shared}`)
        }).pipe(
          Effect.provide(
            dataPlane(pair, join(folder, "dp"), port, {
              cluster_fallback_config_storage: `file://${shared}`,
              cluster_fallback_config_export: "on"
            })
          )
        )
      }).pipe(Effect.provide(memoryControlPlane(pair)))
      assert.isTrue(yield* isThere(shared, "latest.json.gz"))
    }).pipe(Effect.scoped, Effect.timeout("30 seconds"))
  )
})
