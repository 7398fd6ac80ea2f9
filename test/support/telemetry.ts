/** Records as a node makes them, and what they add up to. */
import { bucketOf } from "../../src/model/telemetry/LatencyBuckets.ts"
import type { AnalyticsCell, BillingRecord, TelemetryRecord } from "../../src/model/telemetry/TelemetryRecord.ts"
import type { Window } from "../../src/testing/MemorySpool.ts"

export const uuidOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** `requests` of one route, every fifth of them a failure. */
export const cellOf = (n: number, requests: number, ms = 10): AnalyticsCell => {
  const failures = Math.floor(requests / 5)
  return {
    service: uuidOf(100 + n),
    route: uuidOf(200 + n),
    consumer: n % 2 === 0 ? null : uuidOf(300 + n),
    statuses: [0, requests - failures, 0, 0, failures],
    latency: [[bucketOf(ms), requests]]
  }
}

export const windowOf = (atMs: number, requests: number, more: Partial<Window> = {}): Window => ({
  fromMs: atMs,
  toMs: atMs + 1_000,
  apiCalls: requests,
  services: 3,
  cells: requests === 0 ? [] : [cellOf(requests % 3, requests)],
  ...more
})

/** Billed is the last total of each epoch. */
export const billedIn = (records: ReadonlyArray<TelemetryRecord>): number => {
  const totals = new Map<string, number>()
  for (const record of records.filter((each): each is BillingRecord => each.lane === "billing"))
    totals.set(record.epoch, Math.max(totals.get(record.epoch) ?? 0, record.apiCalls))
  return [...totals.values()].reduce((sum, total) => sum + total, 0)
}
