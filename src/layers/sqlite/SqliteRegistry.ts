/**
 * Records of data planes: read from memory, written to SQLite once a second, so that a fleet's pings cost no disk
 * write each. A killed control plane forgets at most a second of them, and the next ping tells it again.
 */
import { Clock, Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { isUuid } from "../../model/Field.ts"
import { type DataPlaneRecord, isPurged } from "../../model/Fleet.ts"
import { Registry } from "../../services/control/Registry.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import { Settings } from "../../services/Settings.ts"

const flushInterval = "1 second"

const load = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const found = yield* sql<{ readonly body: string }>`SELECT body FROM data_planes`
  return new Map(
    found.map(({ body }) => {
      const record = JSON.parse(body) as DataPlaneRecord
      return [record.id, record] as const
    })
  )
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const settings = yield* Settings
  const purgeDelayMs = settings.cluster_data_plane_purge_delay * 1000
  const records = yield* load(sql)
  const unsaved = new Set<string>()
  const wallMs = yield* Clock.currentTimeMillis
  const startedAtMs = yield* monotonicMs
  /** By the monotonic clock, when each node was heard of last: a wall clock that jumps must not empty the fleet. */
  const heardAtMs = new Map(
    [...records.values()].map(({ id, lastSeenMs }) => [id, startedAtMs - Math.max(0, wallMs - lastSeenMs)] as const)
  )

  const purgeOne = (id: string, nowMs: number): void => {
    if (!isPurged(nowMs - (heardAtMs.get(id) ?? nowMs), purgeDelayMs)) return
    records.delete(id)
    heardAtMs.delete(id)
    unsaved.add(id)
  }

  const purge = Effect.map(monotonicMs, (nowMs) => {
    for (const id of records.keys()) purgeOne(id, nowMs)
  })

  const saveOne = (id: string) => {
    const record = records.get(id)
    if (record === undefined) return sql`DELETE FROM data_planes WHERE id = ${id}`
    return sql`INSERT OR REPLACE INTO data_planes ${sql.insert({
      id,
      last_seen: Math.floor(record.lastSeenMs / 1000),
      body: JSON.stringify(record)
    })}`
  }

  const flush = Effect.gen(function* () {
    yield* purge
    if (unsaved.size === 0) return
    const ids = [...unsaved]
    unsaved.clear()
    yield* sql.withTransaction(Effect.forEach(ids, saveOne, { discard: true })).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          for (const id of ids) unsaved.add(id)
        })
      )
    )
  }).pipe(
    Effect.uninterruptible,
    Effect.catchCause((cause) => Effect.logWarning("records of data planes not saved", cause))
  )

  yield* Effect.addFinalizer(() => flush)
  yield* flush.pipe(Effect.repeat(Schedule.spaced(flushInterval)), Effect.forkScoped)

  return Registry.of({
    update: (id, change) =>
      Effect.map(monotonicMs, (nowMs) => {
        if (!isUuid(id)) return
        const before = records.get(id)
        const after = change(before)
        records.set(id, after)
        if (after.lastSeenMs !== before?.lastSeenMs) heardAtMs.set(id, nowMs)
        unsaved.add(id)
      }),
    all: Effect.andThen(
      purge,
      Effect.sync(() => [...records.values()])
    ),
    // Asked at every connect: a fleet that comes back at once must not cost its square.
    find: (id) =>
      Effect.map(monotonicMs, (nowMs) => {
        if (records.has(id)) purgeOne(id, nowMs)
        return records.get(id)
      })
  })
})

/** Needs the tables: see `migrations.ts`. */
export const layer: Layer.Layer<Registry, SqlError, SqlClient.SqlClient | Settings> = Layer.effect(Registry, make)
