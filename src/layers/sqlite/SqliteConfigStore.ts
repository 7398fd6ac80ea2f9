/** The control plane's entities in SQLite: generic tables, every write one transaction. */
import { Effect, Layer, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { entityByName } from "../../model/Entities.ts"
import { ConfigStore, StoreFailed, type WriteRefused } from "../../services/control/ConfigStore.ts"
import { Ids } from "../../services/control/Ids.ts"
import { Plugins } from "../../services/Plugins.ts"
import { withCertificateNames } from "./certificateNames.ts"
import { beginEpoch } from "./epoch.ts"
import { makeReplaceAll } from "./replaceAll.ts"
import { makeRows, type Rows } from "./rows.ts"
import { indispensable, makeWrites, type Writes } from "./writes.ts"

const failed = (cause: SqlError) => new StoreFailed({ cause })

/** A first start makes what every configuration carries (`hybrid-protocol-v1.md` §14.4). */
const ensureIndispensable = Effect.fnUntraced(function* (rows: Rows, writes: Writes, ids: Ids["Service"]) {
  for (const { entity: name, name: key } of indispensable) {
    const entity = entityByName.get(name)
    if (entity === undefined || (yield* rows.find({ entity, text: key })) !== undefined) continue
    const value = name === "parameters" ? { key, value: yield* ids.uuid } : { name: key }
    yield* writes.create(entity, value)
    yield* rows.grow
  }
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const ids = yield* Ids
  const rows = makeRows(sql)
  const writes = withCertificateNames(rows, makeWrites(rows, ids, yield* Plugins))
  const replaceAll = makeReplaceAll(rows, ids)

  yield* sql.withTransaction(ensureIndispensable(rows, writes, ids))
  const epoch = yield* sql.withTransaction(beginEpoch(sql, ids.uuid))
  const version = yield* SubscriptionRef.make(yield* rows.version)

  /** Commits and then tells, whatever becomes of the writer: a committed change that nobody hears of is never pushed. */
  const commit = <A>(write: Effect.Effect<A, WriteRefused | SqlError>, isChange: (result: A) => boolean) =>
    Effect.gen(function* () {
      const [result, grown] = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* rows.removeExpired
          const result = yield* write
          return [result, isChange(result) ? yield* rows.grow : 0] as const
        })
      )
      yield* SubscriptionRef.update(version, (known) => Math.max(known, grown))
      return result
    }).pipe(
      Effect.catchTag("SqlError", (error) => Effect.fail(failed(error))),
      Effect.uninterruptible
    )

  return ConfigStore.of({
    list: (entity, options) => Effect.mapError(rows.list(entity, options), failed),
    tags: (options) => Effect.mapError(rows.tags(options), failed),
    find: (key) => Effect.mapError(rows.find(key), failed),
    create: (entity, input) => commit(writes.create(entity, input), () => true),
    put: (key, input) => commit(writes.put(key, input), () => true),
    patch: (key, input) => commit(writes.patch(key, input), (row) => row !== undefined),
    remove: (key) => Effect.asVoid(commit(writes.remove(key), (found) => found)),
    replaceAll: (given, { mayEmpty }) => commit(replaceAll(given, mayEmpty), (isChanged) => isChanged),
    export: sql.withTransaction(Effect.all({ version: rows.version, rows: rows.all })).pipe(Effect.mapError(failed)),
    epoch,
    version
  })
})

/** Needs the tables: see `migrations.ts`. */
export const layer: Layer.Layer<ConfigStore, SqlError | WriteRefused, SqlClient.SqlClient | Ids | Plugins> =
  Layer.effect(ConfigStore, make)
