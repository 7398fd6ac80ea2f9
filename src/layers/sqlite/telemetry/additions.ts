/** What a batch adds to what is known: pure, so that one transaction has little to do but read and write. */
import { add, addHistogram, type Histogram, histogramOf } from "../../../model/telemetry/Histogram.ts"
import { countedMinute } from "../../../model/telemetry/Minutes.ts"
import {
  type AnalyticsRecord,
  type BillingRecord,
  laneKey,
  type TelemetryRecord
} from "../../../model/telemetry/TelemetryRecord.ts"

/** How far an epoch and lane is known. */
export interface Mark {
  readonly epoch: string
  readonly lane: TelemetryRecord["lane"]
  readonly sequence: number
  /** Of billing alone: the total so far, and what was dropped. */
  readonly apiCalls: number
  readonly droppedRecords: number
  readonly droppedRequests: number
}

export interface BillingMinute {
  readonly minute: number
  readonly apiCalls: number
  /** As told at `toMs`, the last time within the minute. */
  readonly services: number
  readonly toMs: number
}

/** `[minute, service, route, consumer]`, an empty text for none. */
export type CellKey = readonly [number, string, string, string]

export interface AnalyticsMinute {
  readonly key: CellKey
  readonly statuses: ReadonlyArray<number>
  readonly latency: Histogram
}

/** A row of `analytics_minutes`. */
export interface AnalyticsRow {
  readonly minute: number
  readonly service: string
  readonly route: string
  readonly consumer: string
  readonly statuses: string
  readonly latency: string
}

export interface Additions {
  /** Records that were not known. */
  readonly fresh: number
  /** Of every epoch and lane of the batch, as it stands afterwards. */
  readonly marks: ReadonlyArray<Mark>
  readonly billing: ReadonlyArray<BillingMinute>
  readonly analytics: ReadonlyArray<AnalyticsMinute>
}

export interface Retention {
  readonly analyticsDays: number
  readonly billingDays: number
}

interface Sum {
  readonly key: CellKey
  readonly statuses: Array<number>
  readonly latency: Map<number, number>
}

const unknownMark = ({ epoch, lane }: TelemetryRecord): Mark => ({
  epoch,
  lane,
  sequence: 0,
  apiCalls: 0,
  droppedRecords: 0,
  droppedRequests: 0
})

export const sumStatuses = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): Array<number> =>
  one.map((count, at) => add(count, other[at] ?? 0))

/** Totals only grow: one that is less than what is known adds nothing, and takes nothing away. */
const billed = (mark: Mark, { sequence, apiCalls, dropped }: BillingRecord): Mark => ({
  ...mark,
  sequence,
  apiCalls: Math.max(mark.apiCalls, apiCalls),
  droppedRecords: Math.max(mark.droppedRecords, dropped.records),
  droppedRequests: Math.max(mark.droppedRequests, dropped.requests)
})

const addCells = (sums: Map<string, Sum>, minute: number, { cells }: AnalyticsRecord): void => {
  for (const { service, route, consumer, statuses, latency } of cells) {
    const key: CellKey = [minute, service ?? "", route ?? "", consumer ?? ""]
    const name = key.join(" ")
    const sum = sums.get(name) ?? { key, statuses: [0, 0, 0, 0, 0], latency: new Map<number, number>() }
    sums.set(name, sum)
    statuses.forEach((count, at) => {
      sum.statuses[at] = add(sum.statuses[at] ?? 0, count)
    })
    addHistogram(sum.latency, latency)
  }
}

/** Adds up records, each after those of its epoch and lane that come before it. `known`: the marks of their epochs. */
export const makeAdditions = (
  known: ReadonlyArray<Mark>,
  { analyticsDays, billingDays, nowMs }: Retention & { readonly nowMs: number }
) => {
  const marks = new Map(known.map((mark) => [laneKey(mark), mark]))
  const billing = new Map<number, BillingMinute>()
  const sums = new Map<string, Sum>()
  let fresh = 0

  const addBilling = (mark: Mark, record: BillingRecord): Mark => {
    const after = billed(mark, record)
    const minute = countedMinute(record.fromMs, { nowMs, keptDays: billingDays })
    const before = billing.get(minute)
    const apiCalls = add(before?.apiCalls ?? 0, after.apiCalls - mark.apiCalls)
    // Sequences of two lives say nothing about which was later.
    const { services, toMs } = before === undefined || record.toMs >= before.toMs ? record : before
    billing.set(minute, { minute, apiCalls, services, toMs })
    return after
  }

  const addAnalytics = (mark: Mark, record: AnalyticsRecord): Mark => {
    addCells(sums, countedMinute(record.fromMs, { nowMs, keptDays: analyticsDays }), record)
    return { ...mark, sequence: record.sequence }
  }

  const take = (record: TelemetryRecord): void => {
    const mark = marks.get(laneKey(record)) ?? unknownMark(record)
    if (record.sequence <= mark.sequence) return
    fresh++
    marks.set(laneKey(record), record.lane === "billing" ? addBilling(mark, record) : addAnalytics(mark, record))
  }

  const end = (): Additions => ({
    fresh,
    marks: [...marks.values()],
    billing: [...billing.values()],
    analytics: [...sums.values()].map(({ key, statuses, latency }) => ({
      key,
      statuses,
      latency: histogramOf(latency)
    }))
  })

  return { take, end }
}

/** Whatever order they come in: a mark passes nothing over that stands in the same batch. */
export const inSequence = (records: ReadonlyArray<TelemetryRecord>): ReadonlyArray<TelemetryRecord> =>
  [...records].sort((one, other) => one.sequence - other.sequence)
