/** The store on disk: it survives what a process can suffer. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { statSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import * as RandomIds from "../../../src/layers/RandomIds.ts"
import * as SqliteClient from "../../../src/layers/sqlite/SqliteClient.ts"
import * as SqliteConfigStore from "../../../src/layers/sqlite/SqliteConfigStore.ts"
import * as SqliteRegistry from "../../../src/layers/sqlite/SqliteRegistry.ts"
import * as StoreFile from "../../../src/layers/sqlite/StoreFile.ts"
import { consumers, entityByName, services } from "../../../src/model/Entities.ts"
import type { Entity } from "../../../src/model/Entity.ts"
import { newRecord } from "../../../src/model/Fleet.ts"
import { ConfigStore } from "../../../src/services/control/ConfigStore.ts"
import { Registry } from "../../../src/services/control/Registry.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { testPlugins } from "../../support/plugins.ts"
import { settingsLayer } from "../../support/settings.ts"
import { type Skew, skewedClock } from "../../support/skewedClock.ts"

const service = services as unknown as Entity
const consumer = consumers as unknown as Entity

const storeIn = (prefix: string) =>
  Layer.merge(SqliteConfigStore.layer.pipe(Layer.provide([RandomIds.layer, testPlugins])), SqliteRegistry.layer).pipe(
    Layer.provide(StoreFile.layer),
    Layer.provide(settingsLayer({ prefix })),
    Layer.provide(Logger.layer([]))
  )

const exported = Effect.flatMap(ConfigStore, (store) => store.export)

describe("the store", () => {
  it.live("keeps everything over a restart, and makes what it needs only once", () =>
    Effect.gen(function* () {
      const prefix = join(yield* temporaryFolder, "made", "for", "it")
      const first = yield* Effect.gen(function* () {
        const store = yield* ConfigStore
        yield* store.create(service, { name: "a", host: "example.com" })
        yield* store.create(service, { name: "b", host: "example.com" })
        yield* store.remove({ entity: service, text: "a" })
        return yield* exported
      }).pipe(Effect.provide(storeIn(prefix)))
      const second = yield* exported.pipe(Effect.provide(storeIn(prefix)))
      assert.deepStrictEqual(second, first)
      assert.strictEqual(second.rows.get("workspaces")?.length, 1)
      assert.strictEqual(second.rows.get("parameters")?.[0]?.key, "cluster_id")
    })
  )

  it.live("is for its owner's eyes only: it holds private keys", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* Effect.gen(function* () {
        const store = yield* ConfigStore
        yield* store.create(consumer, { username: "bob" })
        for (const file of ["holdfast.db", "holdfast.db-wal"]) {
          assert.strictEqual(statSync(join(prefix, file)).mode & 0o777, 0o600)
        }
      }).pipe(Effect.provide(storeIn(prefix)))
    })
  )

  it.live("tells of every committed change, and of nothing else", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* Effect.gen(function* () {
        const store = yield* ConfigStore
        const before = yield* SubscriptionRef.get(store.version)
        yield* Effect.ignore(store.create(service, { name: "a" }))
        yield* store.remove({ entity: service, text: "a" })
        assert.strictEqual(yield* SubscriptionRef.get(store.version), before)
        yield* store.create(service, { name: "a", host: "example.com" })
        assert.strictEqual(yield* SubscriptionRef.get(store.version), before + 1)
        assert.strictEqual((yield* store.export).version, before + 1)
      }).pipe(Effect.provide(storeIn(prefix)))
    })
  )

  it.live("leaves nothing of a refused write", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* Effect.gen(function* () {
        const store = yield* ConfigStore
        yield* store.create(consumer, { username: "a", custom_id: "1" })
        const before = yield* store.export
        // Its first name is free, its second is not.
        const refused = yield* Effect.flip(store.create(consumer, { username: "b", custom_id: "1" }))
        assert.strictEqual(refused._tag, "WriteRefused")
        assert.deepStrictEqual(yield* store.export, before)
        yield* store.create(consumer, { username: "b", custom_id: "2" })
      }).pipe(Effect.provide(storeIn(prefix)))
    })
  )

  it.live("takes concurrent writes one after the other", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* Effect.gen(function* () {
        const store = yield* ConfigStore
        const before = yield* SubscriptionRef.get(store.version)
        const results = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, i) => i),
          (i) => Effect.exit(store.create(consumer, { username: `user-${i % 10}` })),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 10)
        assert.strictEqual(yield* SubscriptionRef.get(store.version), before + 10)
      }).pipe(Effect.provide(storeIn(prefix)))
    })
  )

  it.live(
    "has every write that was answered, after kill -9",
    () =>
      Effect.gen(function* () {
        const prefix = yield* temporaryFolder
        const script = new URL("./writer.ts", import.meta.url).pathname
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => spawn(process.execPath, [script, prefix], { stdio: ["ignore", "pipe", "ignore"] })),
          (running) => Effect.sync(() => running.kill("SIGKILL"))
        )
        const answered = yield* Effect.promise(async () => {
          let said = ""
          for await (const chunk of child.stdout) {
            said += String(chunk)
            if (said.split("\n").length > 20) break
          }
          child.kill("SIGKILL")
          await once(child, "exit")
          return said.split("\n").slice(0, -1)
        })
        const { rows } = yield* exported.pipe(Effect.provide(storeIn(prefix)))
        const kept = new Set((rows.get("consumers") ?? []).map(({ username }) => username))
        assert.isAbove(answered.length, 10)
        for (const username of answered) assert.isTrue(kept.has(username), `${username} is lost`)
      }),
    30_000
  )

  it.live("in a prefix that can't be a folder stops the start with exit code 2", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(storeIn("/dev/null/x"))))
      assert.strictEqual(error._tag === "StartError" && error.exitCode, 2)
      assert.strictEqual(error.message, `prefix: expected a directory that can be written (ENOTDIR), got "/dev/null/x"`)
    })
  )

  it.live("that is no store stops the start with exit code 1, and is left as it is", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const file = join(prefix, "holdfast.db")
      const rubbish = "not a database, but somebody's only copy of something".repeat(100)
      yield* Effect.promise(() => writeFile(file, rubbish))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(storeIn(prefix))))
      assert.strictEqual(error._tag === "StartError" && error.exitCode, 1)
      assert.include(error.message, "not a database")
      assert.strictEqual(yield* Effect.promise(() => readFile(file, "utf8")), rubbish)
    })
  )
})

describe("the registry", () => {
  it.live("survives a restart, too", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const id = "7f1c2c0e-3f0a-4f0e-9a3b-0d3d0a3f6d11"
      const facts = { id, hostname: "dp", ip: "::1", version: "3.9.0", labels: {}, certificateExpiresAtMs: 5 }
      const record = newRecord(facts, Date.now())
      yield* Effect.gen(function* () {
        const registry = yield* Registry
        yield* registry.update(id, () => record)
        yield* registry.update("not-a-uuid", () => ({ ...record, id: "not-a-uuid" }))
      }).pipe(Effect.provide(storeIn(prefix)))
      const kept = yield* Effect.flatMap(Registry, (registry) => registry.all).pipe(Effect.provide(storeIn(prefix)))
      assert.deepStrictEqual(kept, [JSON.parse(JSON.stringify(record))])
    })
  )
})

describe("the purge delay (§11)", () => {
  const id = "7f1c2c0e-3f0a-4f0e-9a3b-0d3d0a3f6d11"
  const facts = { id, hostname: "dp", ip: "::1", version: "3.9.0", labels: {}, certificateExpiresAtMs: 5 }
  const layer = SqliteRegistry.layer.pipe(
    Layer.provideMerge(StoreFile.withTables(SqliteClient.layer(":memory:"))),
    Layer.provide(settingsLayer({ cluster_data_plane_purge_delay: "60" }))
  )
  const hear = Effect.gen(function* () {
    const { update } = yield* Registry
    const lastSeenMs = yield* Clock.currentTimeMillis
    yield* update(id, (known) => ({ ...(known ?? newRecord(facts, lastSeenMs)), lastSeenMs }))
  })

  it.effect("forgets a node that was silent for so long, on disk too, and starts anew with each ping", () =>
    Effect.gen(function* () {
      const { find, all } = yield* Registry
      const sql = yield* SqlClient.SqlClient
      const onDisk = Effect.map(sql`SELECT id FROM data_planes`, ({ length }) => length)
      yield* hear
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* all).length, 1)
      yield* hear
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* find(id))?.id, id)
      assert.strictEqual(yield* onDisk, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* find(id), undefined)
      assert.deepStrictEqual(yield* all, [])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* onDisk, 0)
    }).pipe(Effect.provide(layer))
  )

  it.effect("is no matter of the wall clock: one that jumps forgets nobody", () => {
    const skew: Skew = { wallErrorMs: 0 }
    return Effect.gen(function* () {
      const { all } = yield* Registry
      yield* hear
      skew.wallErrorMs = 365 * 86_400_000
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* all).length, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* all, [])
    }).pipe(Effect.provide(layer.pipe(Layer.provide(skewedClock(skew)))))
  })
})

it("every reference of the table points into the table", () => {
  for (const entity of entityByName.values()) {
    for (const { to } of entity.references) assert.isTrue(entityByName.has(to), `${entity.name} refers to ${to}`)
  }
})
