/** One batch, in one transaction: what is known of its epochs, what it adds, and the sums with that added. */
import { Array as Arr, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { addHistogram, type Histogram, histogramOf } from "../../../model/telemetry/Histogram.ts"
import { minuteOf } from "../../../model/telemetry/Minutes.ts"
import { laneKey } from "../../../model/telemetry/TelemetryRecord.ts"
import type { TelemetryBatch } from "../../../model/telemetry/TelemetryWire.ts"
import {
  type AnalyticsMinute,
  type AnalyticsRow,
  type BillingMinute,
  type CellKey,
  inSequence,
  type Mark,
  makeAdditions,
  type Retention,
  sumStatuses
} from "./additions.ts"

/** Rows that are read or written at once: what comes between two gets its turn. */
const rowsAtOnce = 200
const recordsAtOnce = 4

const nameOf = (key: CellKey): string => key.join(" ")

/** A spool offers billing oldest epoch first; analytics of an older life may come long after it. */
const newestEpoch = (records: TelemetryBatch["records"]): string | null =>
  (records.findLast(({ lane }) => lane === "billing") ?? null)?.epoch ?? null

const merged = ({ key, statuses, latency }: AnalyticsMinute, row: AnalyticsRow | undefined): AnalyticsMinute => {
  if (row === undefined) return { key, statuses, latency }
  const buckets = new Map<number, number>(JSON.parse(row.latency) as Histogram)
  addHistogram(buckets, latency)
  return {
    key,
    statuses: sumStatuses(statuses, JSON.parse(row.statuses) as ReadonlyArray<number>),
    latency: histogramOf(buckets)
  }
}

export const makeCommit = (sql: SqlClient.SqlClient, retention: Retention) => {
  /** Whichever node they came from: the id of a node may change while its spool still holds what is known here. */
  const marksOf = ({ records }: TelemetryBatch) =>
    sql<Mark>`SELECT epoch, lane, sequence, api_calls AS apiCalls,
        dropped_records AS droppedRecords, dropped_requests AS droppedRequests
      FROM telemetry_marks
      WHERE epoch IN (SELECT value FROM json_each(${JSON.stringify([...new Set(records.map(({ epoch }) => epoch))])}))`

  const writeMarks = (node: string, marks: ReadonlyArray<Mark>, minute: number) =>
    sql`INSERT OR REPLACE INTO telemetry_marks
      (node, epoch, lane, sequence, api_calls, dropped_records, dropped_requests, minute)
      SELECT ${node}, value ->> 'epoch', value ->> 'lane', value ->> 'sequence', value ->> 'apiCalls',
        value ->> 'droppedRecords', value ->> 'droppedRequests', ${minute} FROM json_each(${JSON.stringify(marks)})`

  const writeNode = (node: string, { records, spool }: TelemetryBatch, nowMs: number) =>
    sql`INSERT INTO telemetry_nodes (node, received_ms, epoch, spool_bytes, spool_records, spool_oldest_ms)
      VALUES (${node}, ${nowMs}, ${newestEpoch(records)}, ${spool.bytes}, ${spool.records}, ${spool.oldest_ms})
      ON CONFLICT (node) DO UPDATE SET received_ms = excluded.received_ms,
        epoch = coalesce(excluded.epoch, epoch), spool_bytes = excluded.spool_bytes,
        spool_records = excluded.spool_records, spool_oldest_ms = excluded.spool_oldest_ms`

  const addBilling = (node: string, minutes: ReadonlyArray<BillingMinute>) =>
    sql`INSERT INTO billing_minutes (minute, node, api_calls, services)
      SELECT value ->> 'minute', ${node}, value ->> 'apiCalls', value ->> 'services' FROM json_each(${JSON.stringify(minutes)})
      WHERE true ON CONFLICT (minute, node) DO UPDATE SET
        api_calls = min(api_calls + excluded.api_calls, ${Number.MAX_SAFE_INTEGER}), services = excluded.services`

  const analyticsAt = (keys: ReadonlyArray<CellKey>) =>
    sql<AnalyticsRow>`SELECT a.* FROM json_each(${JSON.stringify(keys)}) k CROSS JOIN analytics_minutes a
      ON a.minute = k.value ->> 0 AND a.service = k.value ->> 1 AND a.route = k.value ->> 2 AND a.consumer = k.value ->> 3`

  const addAnalytics = Effect.fnUntraced(function* (cells: ReadonlyArray<AnalyticsMinute>) {
    const rows = yield* analyticsAt(cells.map(({ key }) => key))
    const known = new Map(rows.map((row) => [nameOf([row.minute, row.service, row.route, row.consumer]), row] as const))
    const after = cells.map((cell) => {
      const { key, statuses, latency } = merged(cell, known.get(nameOf(cell.key)))
      return [...key, JSON.stringify(statuses), JSON.stringify(latency)]
    })
    yield* sql`INSERT OR REPLACE INTO analytics_minutes (minute, service, route, consumer, statuses, latency)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
      FROM json_each(${JSON.stringify(after)})`
    yield* Effect.yieldNow
  })

  const addUp = Effect.fnUntraced(function* (known: ReadonlyArray<Mark>, { records }: TelemetryBatch, nowMs: number) {
    const additions = makeAdditions(known, { ...retention, nowMs })
    for (const [at, record] of inSequence(records).entries()) {
      additions.take(record)
      if (at % recordsAtOnce === 0) yield* Effect.yieldNow
    }
    return additions.end()
  })

  return Effect.fnUntraced(function* (node: string, batch: TelemetryBatch, nowMs: number) {
    const known = yield* marksOf(batch)
    const { fresh, marks, billing, analytics } = yield* addUp(known, batch, nowMs)
    yield* Effect.forEach(Arr.chunksOf(marks, rowsAtOnce), (some) => writeMarks(node, some, minuteOf(nowMs)), {
      discard: true
    })
    yield* Effect.forEach(Arr.chunksOf(billing, rowsAtOnce), (some) => addBilling(node, some), { discard: true })
    yield* Effect.forEach(Arr.chunksOf(analytics, rowsAtOnce), addAnalytics, { discard: true })
    yield* writeNode(node, batch, nowMs)
    const asked = new Set(batch.records.map(laneKey))
    return { fresh, marks: marks.filter((mark) => asked.has(laneKey(mark))) }
  })
}
