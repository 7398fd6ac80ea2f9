/** TelemetryStore in SQLite: a batch is one transaction, and is acknowledged once that is committed. */
import { Clock, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { StoreFailed } from "../../../services/control/ConfigStore.ts"
import { TelemetryStore } from "../../../services/control/TelemetryStore.ts"
import { Settings } from "../../../services/Settings.ts"
import { supervise } from "../../../services/supervise.ts"
import { makeCommit } from "./commit.ts"
import { makePurge } from "./purge.ts"
import { makeQueries } from "./queries.ts"

const failed = (cause: SqlError) => new StoreFailed({ cause })

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { telemetry_retention, billing_retention } = yield* Settings
  const retention = { analyticsDays: telemetry_retention, billingDays: billing_retention }
  const commit = makeCommit(sql, retention)
  const { requests, usage, nodes } = makeQueries(sql)
  /** Records by node, since the start. */
  const committed = new Map<string, number>()
  yield* supervise("purging telemetry", makePurge(sql, retention))
  return TelemetryStore.of({
    commit: (nodeId, batch) =>
      Effect.gen(function* () {
        const { fresh, marks } = yield* sql.withTransaction(commit(nodeId, batch, yield* Clock.currentTimeMillis))
        committed.set(nodeId, (committed.get(nodeId) ?? 0) + fresh)
        return marks.map(({ epoch, lane, sequence }) => ({ epoch, lane, sequence }))
      }).pipe(Effect.mapError(failed)),
    requests: (query) => Effect.catchTag(requests(query), "SqlError", (error) => Effect.fail(failed(error))),
    usage: (period) => Effect.mapError(usage(period), failed),
    nodes: nodes((node) => committed.get(node) ?? 0).pipe(Effect.mapError(failed))
  })
})

/** Needs the tables: see `migrations.ts`. */
export const layer: Layer.Layer<TelemetryStore, never, SqlClient.SqlClient | Settings> = Layer.effect(
  TelemetryStore,
  make
)
