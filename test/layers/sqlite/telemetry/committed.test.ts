/** A batch is whole or not there, and there once it was acknowledged. With real files, for that is the promise. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as SqliteClient from "../../../../src/layers/sqlite/SqliteClient.ts"
import * as StoreFile from "../../../../src/layers/sqlite/StoreFile.ts"
import * as SqliteTelemetryStore from "../../../../src/layers/sqlite/telemetry/SqliteTelemetryStore.ts"
import { TelemetryStore } from "../../../../src/services/control/TelemetryStore.ts"
import { temporaryFolder } from "../../../support/folder.ts"
import { settingsLayer } from "../../../support/settings.ts"
import { cellOf, uuidOf } from "../../../support/telemetry.ts"

const sums = Effect.gen(function* () {
  const store = yield* TelemetryStore
  const { apiCalls } = yield* store.usage({})
  const points = yield* store.requests({ by: "status", fromMs: 0, toMs: 4e12, stepMs: 6e12, pointsMax: 10 })
  const analytics = points.reduce((sum, { statuses }) => sum + statuses.reduce((all, count) => all + count, 0), 0)
  return { billed: apiCalls.get(uuidOf(1)) ?? 0, analytics }
})

it.live(
  "has every batch that was acknowledged, and none by half, after kill -9",
  () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const script = new URL("./committer.ts", import.meta.url).pathname
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, [script, prefix], { stdio: ["ignore", "pipe", "ignore"] })),
        (running) => Effect.sync(() => running.kill("SIGKILL"))
      )
      const acknowledged = yield* Effect.promise(async () => {
        let said = ""
        for await (const chunk of child.stdout) {
          said += String(chunk)
          if (said.split("\n").length > 12) break
        }
        child.kill("SIGKILL")
        await once(child, "exit")
        return Number(said.split("\n").at(-2))
      })
      const settings = settingsLayer({ prefix })
      const store = SqliteTelemetryStore.layer.pipe(Layer.provide(StoreFile.layer), Layer.provide(settings))
      const { billed, analytics } = yield* sums.pipe(Effect.provide(store))
      assert.isAtLeast(acknowledged, 12)
      assert.isAtLeast(billed, acknowledged * 300)
      assert.strictEqual(analytics, billed)
    }),
  30_000
)

it.effect("a batch of which a part can't be stored is not acknowledged, and counts once when it comes again", () => {
  const database = Layer.orDie(StoreFile.withTables(SqliteClient.layer(":memory:")))
  const store = SqliteTelemetryStore.layer.pipe(Layer.provideMerge(database), Layer.provide(settingsLayer({})))
  return Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { commit } = yield* TelemetryStore
    const common = { epoch: uuidOf(9), sequence: 1, fromMs: 0, toMs: 1 }
    const deliver = commit(uuidOf(1), {
      records: [
        { lane: "billing", ...common, apiCalls: 5, services: 1, dropped: { records: 0, requests: 0 } },
        { lane: "analytics", ...common, cells: [cellOf(0, 5)] }
      ],
      spool: { bytes: 0, records: 0, oldest_ms: null }
    })
    yield* sql`ALTER TABLE analytics_minutes RENAME TO elsewhere`
    assert.strictEqual((yield* Effect.flip(deliver))._tag, "StoreFailed")
    yield* sql`ALTER TABLE elsewhere RENAME TO analytics_minutes`
    assert.deepStrictEqual(yield* sums, { billed: 0, analytics: 0 })
    yield* deliver
    assert.deepStrictEqual(yield* sums, { billed: 5, analytics: 5 })
  }).pipe(Effect.provide(store))
})
