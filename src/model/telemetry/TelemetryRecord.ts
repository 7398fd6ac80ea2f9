/**
 * What a node tells its control plane about its traffic: counts, by ids alone. The schema has no field that could carry a
 * header, body, query, path, address, user name or credential: every text in it is a UUID.
 *
 * A node writes two lanes of records, each numbered from 1 within an epoch, which is one life of the process:
 *
 * - `billing`: totals since the epoch began. The newest one of an epoch says all: whatever is lost, doubled or late
 *   before it changes no sum.
 * - `analytics`: what happened in one window, by service, route and consumer. Each counts once.
 */
import { Schema } from "effect"
import { isUuid } from "../Field.ts"

const uuid = Schema.String.check(Schema.makeFilter((value: string) => isUuid(value), { expected: "a UUID" }))
export const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const sequence = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const instantMs = Schema.Finite

/** What was lost because the spool was full or too old, since the epoch began; told so that sums can be judged. */
export const Drops = Schema.Struct({ records: count, requests: count })

export const BillingRecord = Schema.Struct({
  lane: Schema.Literal("billing"),
  epoch: uuid,
  sequence,
  /** The window that this record ends; wall-clock milliseconds by the trusted clock. */
  fromMs: instantMs,
  toMs: instantMs,
  /** Requests that matched a route, since the epoch began: whatever the answer, once however often they were retried. */
  apiCalls: count,
  /** Services of the configuration that serves now. */
  services: count,
  dropped: Drops
})

/**
 * Requests of one window that took one route with one consumer. `statuses` counts by the first digit of the status, `1xx`
 * to `5xx` in this order. A latency histogram lists `[bucket, count]`, buckets in rising order: `LatencyBuckets.ts`.
 */
export const AnalyticsCell = Schema.Struct({
  service: Schema.NullOr(uuid),
  /** `null`: no route matched, and the request was no API call. */
  route: Schema.NullOr(uuid),
  consumer: Schema.NullOr(uuid),
  statuses: Schema.Tuple([count, count, count, count, count]),
  latency: Schema.Array(Schema.Tuple([count, count]))
})

/** A window with more is told in several records: each is read and stored in one go. */
export const cellsMax = 1_000

export const AnalyticsRecord = Schema.Struct({
  lane: Schema.Literal("analytics"),
  epoch: uuid,
  sequence,
  fromMs: instantMs,
  toMs: instantMs,
  cells: Schema.Array(AnalyticsCell).check(Schema.isMaxLength(cellsMax))
})

export const TelemetryRecord = Schema.Union([BillingRecord, AnalyticsRecord])

export type Drops = typeof Drops.Type
export type BillingRecord = typeof BillingRecord.Type
export type AnalyticsCell = typeof AnalyticsCell.Type
export type AnalyticsRecord = typeof AnalyticsRecord.Type
export type TelemetryRecord = typeof TelemetryRecord.Type
export type Lane = TelemetryRecord["lane"]

/** Names what sequences are counted within. */
export const laneKey = ({ epoch, lane }: { readonly epoch: string; readonly lane: Lane }): string => `${epoch} ${lane}`
