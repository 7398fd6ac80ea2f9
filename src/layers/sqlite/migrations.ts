/**
 * The tables of the control plane's store. Generic: a new kind of entity needs no migration. `unique_keys` and `links`
 * repeat what stands in the rows, so that SQLite itself refuses two rows under one name and a reference to nothing.
 */
import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"

const init = SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE entities (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (kind, id)
      )`,
      sql`CREATE TABLE unique_keys (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        id TEXT NOT NULL,
        PRIMARY KEY (kind, name, value),
        FOREIGN KEY (kind, id) REFERENCES entities (kind, id) ON DELETE CASCADE
      ) WITHOUT ROWID`,
      sql`CREATE INDEX unique_keys_by_row ON unique_keys (kind, id)`,
      sql`CREATE TABLE links (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        field TEXT NOT NULL,
        to_kind TEXT NOT NULL,
        to_id TEXT NOT NULL,
        PRIMARY KEY (kind, id, field),
        FOREIGN KEY (kind, id) REFERENCES entities (kind, id) ON DELETE CASCADE,
        FOREIGN KEY (to_kind, to_id) REFERENCES entities (kind, id)
      ) WITHOUT ROWID`,
      sql`CREATE INDEX links_by_target ON links (to_kind, to_id, kind, field)`,
      sql`CREATE TABLE config_version (version INTEGER NOT NULL)`,
      sql`INSERT INTO config_version (version) VALUES (0)`,
      sql`CREATE TABLE data_planes (
        id TEXT PRIMARY KEY,
        last_seen INTEGER NOT NULL,
        body TEXT NOT NULL
      ) WITHOUT ROWID`
    ],
    { discard: true }
  )
)

/**
 * Telemetry: how far each epoch and lane is known and which node brought it last, what nodes said of their spools, and sums by
 * minutes since 1970.
 * An empty text stands for no service, route or consumer, for a key has no NULL.
 */
const telemetry = SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE telemetry_marks (
        node TEXT NOT NULL,
        epoch TEXT NOT NULL,
        lane TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        api_calls INTEGER NOT NULL,
        dropped_records INTEGER NOT NULL,
        dropped_requests INTEGER NOT NULL,
        minute INTEGER NOT NULL,
        PRIMARY KEY (epoch, lane)
      ) WITHOUT ROWID`,
      sql`CREATE INDEX telemetry_marks_by_minute ON telemetry_marks (minute)`,
      sql`CREATE INDEX telemetry_drops ON telemetry_marks (node, dropped_records, dropped_requests) WHERE dropped_records > 0`,
      sql`CREATE TABLE telemetry_nodes (
        node TEXT PRIMARY KEY,
        received_ms INTEGER NOT NULL,
        epoch TEXT,
        spool_bytes INTEGER NOT NULL,
        spool_records INTEGER NOT NULL,
        spool_oldest_ms REAL
      ) WITHOUT ROWID`,
      sql`CREATE TABLE billing_minutes (
        minute INTEGER NOT NULL,
        node TEXT NOT NULL,
        api_calls INTEGER NOT NULL,
        services INTEGER NOT NULL,
        PRIMARY KEY (minute, node)
      ) WITHOUT ROWID`,
      sql`CREATE TABLE analytics_minutes (
        minute INTEGER NOT NULL,
        service TEXT NOT NULL,
        route TEXT NOT NULL,
        consumer TEXT NOT NULL,
        statuses TEXT NOT NULL,
        latency TEXT NOT NULL,
        PRIMARY KEY (minute, service, route, consumer)
      ) WITHOUT ROWID`
    ],
    { discard: true }
  )
)

/** One row: the epoch of the newest life of the process (`epoch.ts`). */
const epoch = SqlClient.SqlClient.use((sql) => sql`CREATE TABLE config_epoch (epoch TEXT NOT NULL)`)

export const migrate = Migrator.make({})({
  loader: Migrator.fromRecord({ "0001_init": init, "0002_telemetry": telemetry, "0003_epoch": epoch })
})
