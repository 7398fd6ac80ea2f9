/** What is asked of the sums. Read in pieces, so that a long period does not hold the thread that data planes wait for. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { addHistogram, type Histogram, histogramOf } from "../../../model/telemetry/Histogram.ts"
import { minuteMs, minuteOf } from "../../../model/telemetry/Minutes.ts"
import type { NodeTelemetry } from "../../../model/telemetry/NodeTelemetry.ts"
import {
  type Period,
  type RequestGroup,
  type RequestsPoint,
  type RequestsQuery,
  TooManyPoints,
  type Usage
} from "../../../services/control/TelemetryStore.ts"
import { type AnalyticsRow, sumStatuses } from "./additions.ts"

const rowsAtOnce = 1_000
/** Rows of billing are added up by SQLite itself. */
const billingRowsAtOnce = 20_000

interface BillingRow {
  readonly node: string
  readonly apiCalls: number
  readonly services: number
  readonly minute: number
}

interface Sum {
  readonly fromMs: number
  readonly id: string | null
  statuses: Array<number>
  readonly latency: Map<number, number>
}

const noStatuses: ReadonlyArray<number> = [0, 0, 0, 0, 0]

/** What a row adds to: its service, route or consumer, or each of its status classes. */
const sharesOf = (row: AnalyticsRow, by: RequestGroup): ReadonlyArray<Omit<RequestsPoint, "fromMs">> => {
  const statuses = JSON.parse(row.statuses) as ReadonlyArray<number>
  if (by !== "status")
    return [{ id: row[by] === "" ? null : row[by], statuses, latency: JSON.parse(row.latency) as Histogram }]
  return statuses.flatMap((count, at) =>
    count === 0 ? [] : [{ id: `${at + 1}xx`, statuses: noStatuses.with(at, count), latency: [] }]
  )
}

const addTo = (sums: Map<string, Sum>, row: AnalyticsRow, { by, fromMs, stepMs }: RequestsQuery): void => {
  const stepFromMs = fromMs + Math.floor((row.minute * minuteMs - fromMs) / stepMs) * stepMs
  for (const { id, statuses, latency } of sharesOf(row, by)) {
    const name = `${stepFromMs} ${id ?? ""}`
    const sum = sums.get(name) ?? { fromMs: stepFromMs, id, statuses: [...noStatuses], latency: new Map() }
    sums.set(name, sum)
    sum.statuses = sumStatuses(sum.statuses, statuses)
    addHistogram(sum.latency, latency)
  }
}

/** By code units: ids are ASCII, and by locale 50,000 points would hold the thread. */
const inOrder = (one: RequestsPoint, other: RequestsPoint): number => {
  const [a, b] = [one.id ?? "", other.id ?? ""]
  return one.fromMs - other.fromMs || (a < b ? -1 : a > b ? 1 : 0)
}

export const makeQueries = (sql: SqlClient.SqlClient) => {
  const rowsAfter = (last: AnalyticsRow | undefined, fromMinute: number, toMinute: number) =>
    last === undefined
      ? sql<AnalyticsRow>`SELECT * FROM analytics_minutes WHERE minute >= ${fromMinute} AND minute < ${toMinute}
          ORDER BY minute, service, route, consumer LIMIT ${rowsAtOnce}`
      : sql<AnalyticsRow>`SELECT * FROM analytics_minutes
          WHERE (minute, service, route, consumer) > (${last.minute}, ${last.service}, ${last.route}, ${last.consumer})
            AND minute < ${toMinute} ORDER BY minute, service, route, consumer LIMIT ${rowsAtOnce}`

  const requests = Effect.fnUntraced(function* (query: RequestsQuery) {
    const { fromMs, toMs, pointsMax } = query
    const sums = new Map<string, Sum>()
    let last: AnalyticsRow | undefined
    do {
      const rows = yield* rowsAfter(last, minuteOf(fromMs), Math.ceil(toMs / minuteMs))
      for (const row of rows) addTo(sums, row, query)
      if (sums.size > pointsMax) return yield* new TooManyPoints({ pointsMax })
      last = rows.at(-1)
      yield* Effect.yieldNow
    } while (last !== undefined)
    const points: Array<RequestsPoint> = []
    for (const sum of sums.values()) {
      if (points.push({ ...sum, latency: histogramOf(sum.latency) }) % rowsAtOnce === 0) yield* Effect.yieldNow
    }
    return points.sort(inOrder)
  })

  const covered = Effect.fnUntraced(function* ({ fromMs, toMs }: Partial<Period>) {
    const [ends] = yield* sql<{ readonly first: number | null; readonly last: number | null }>`
      SELECT (SELECT min(minute) FROM billing_minutes) AS first, (SELECT max(minute) FROM billing_minutes) AS last`
    const first = ends?.first ?? undefined
    const last = ends?.last ?? undefined
    return {
      fromMs: fromMs ?? (first === undefined ? undefined : first * minuteMs),
      toMs: toMs ?? (last === undefined ? undefined : (last + 1) * minuteMs),
      firstMinute: Math.max(first ?? 0, fromMs === undefined ? 0 : minuteOf(fromMs)),
      endMinute: first === undefined ? 0 : Math.min((last ?? 0) + 1, Math.ceil((toMs ?? Infinity) / minuteMs))
    }
  })

  /** Per node: the sum, and what it told last. */
  const billedBetween = (fromMinute: number, toMinute: number) =>
    sql<BillingRow>`SELECT node, total(api_calls) AS apiCalls, services, max(minute) AS minute
      FROM billing_minutes WHERE minute >= ${fromMinute} AND minute < ${toMinute} GROUP BY node`

  const minutesAtOnce = Effect.map(
    sql<{ readonly nodes: number }>`SELECT count(*) AS nodes FROM telemetry_nodes`,
    ([counted]) => Math.ceil(billingRowsAtOnce / Math.max(10, counted?.nodes ?? 0))
  )

  const usage = Effect.fnUntraced(function* (period: Partial<Period>) {
    const { fromMs, toMs, firstMinute, endMinute } = yield* covered(period)
    const step = yield* minutesAtOnce
    const apiCalls = new Map<string, number>()
    const services = new Map<string, number>()
    for (let minute = firstMinute; minute < endMinute; minute += step) {
      for (const row of yield* billedBetween(minute, Math.min(minute + step, endMinute))) {
        apiCalls.set(row.node, (apiCalls.get(row.node) ?? 0) + row.apiCalls)
        services.set(row.node, row.services)
      }
      yield* Effect.yieldNow
    }
    const highest = services.size === 0 ? undefined : Math.max(...services.values())
    return { fromMs, toMs, services: highest, apiCalls } satisfies Usage
  })

  const nodes = Effect.fnUntraced(function* (committedOf: (node: string) => number) {
    const found = yield* sql<{
      readonly node: string
      readonly receivedMs: number
      readonly epoch: string | null
      readonly bytes: number
      readonly records: number
      readonly oldestMs: number | null
      readonly billing: number
      readonly analytics: number
      readonly droppedRecords: number
      readonly droppedRequests: number
    }>`SELECT n.node, n.received_ms AS receivedMs, n.epoch, n.spool_bytes AS bytes, n.spool_records AS records,
        n.spool_oldest_ms AS oldestMs,
        coalesce(b.sequence, 0) AS billing, coalesce(a.sequence, 0) AS analytics,
        (SELECT total(dropped_records) FROM telemetry_marks WHERE node = n.node AND dropped_records > 0) AS droppedRecords,
        (SELECT total(dropped_requests) FROM telemetry_marks WHERE node = n.node AND dropped_records > 0) AS droppedRequests
      FROM telemetry_nodes n
        LEFT JOIN telemetry_marks b ON b.epoch = n.epoch AND b.lane = 'billing'
        LEFT JOIN telemetry_marks a ON a.epoch = n.epoch AND a.lane = 'analytics'`
    return new Map(
      found.map((row): readonly [string, NodeTelemetry] => [
        row.node,
        {
          receivedMs: row.receivedMs,
          committed: committedOf(row.node),
          epoch: row.epoch ?? undefined,
          acknowledged: { billing: row.billing, analytics: row.analytics },
          spooled: { bytes: row.bytes, records: row.records, oldestMs: row.oldestMs ?? undefined },
          dropped: { records: row.droppedRecords, requests: row.droppedRequests }
        }
      ])
    )
  })

  return { requests, usage, nodes }
}
