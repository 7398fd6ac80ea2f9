/**
 * The epoch of a control plane's versions: one for each life of its process. A store that comes back from a backup counts
 * on from a lower version, and nothing in it says so; but its epoch is a new one, and later than all before. Epochs
 * are texts that sort by when they began, and one never begins before the last that this store knows.
 */
import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql"

const timeLength = "2026-01-01T00:00:00.000Z".length
const randomLength = 8

/** `2026-11-26T05:40:12.345Z-1a2b3c4d`. */
export const beginEpoch = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, uuid: Effect.Effect<string>) {
  const [last] = yield* sql<{ readonly epoch: string }>`SELECT epoch FROM config_epoch`
  const lastMs = Date.parse(last?.epoch.slice(0, timeLength) ?? "")
  const nowMs = yield* Clock.currentTimeMillis
  const beganMs = Number.isNaN(lastMs) ? nowMs : Math.max(nowMs, lastMs + 1)
  const epoch = `${new Date(beganMs).toISOString()}-${(yield* uuid).replaceAll("-", "").slice(0, randomLength)}`
  yield* last === undefined
    ? sql`INSERT INTO config_epoch (epoch) VALUES (${epoch})`
    : sql`UPDATE config_epoch SET epoch = ${epoch}`
  return epoch
})
