/**
 * The window that is open: what has been counted in it so far, the lines by which its log tells that, and the records that it
 * becomes. Whoever reads a log that a crash has left plays its lines into a window of the same kind, so that both give the
 * same records.
 *
 * Cells are numbered in the order in which they first came up, and a record holds so many of them by number: however much of
 * the log was lost, a cell is never in another record than the one that it would have been in.
 */
import { Effect, Option, Schema } from "effect"
import { isUuid } from "../../model/Field.ts"
import {
  AnalyticsCell,
  type AnalyticsRecord,
  BillingRecord,
  count,
  Drops
} from "../../model/telemetry/TelemetryRecord.ts"
import { otherId, type RequestCell } from "../../services/RequestCounters.ts"
import type { Delta } from "./deltas.ts"
import { eachInTurn, type Line } from "./lines.ts"

export const cellsPerRecord = 250

const { epoch, sequence, fromMs, toMs, apiCalls, services } = BillingRecord.fields
const { service, route, consumer, statuses, latency } = AnalyticsCell.fields

/** The first line of a log: which records the window becomes. */
const Head = Schema.Struct({ epoch, billing: sequence, analytics: sequence, fromMs })
type Head = typeof Head.Type

/** Every further line: totals as they stand, and what was added to cells since the line before. */
const Entry = Schema.Struct({
  toMs,
  apiCalls,
  services,
  dropped: Drops,
  names: Schema.Array(Schema.Tuple([count, service, route, consumer])),
  cells: Schema.Array(Schema.Tuple([count, statuses, latency]))
})
type Entry = typeof Entry.Type

/** What does not stand in cells. */
export type Totals = Pick<Entry, "toMs" | "apiCalls" | "services" | "dropped">

interface WindowCell {
  readonly names: readonly [string | null, string | null, string | null]
  readonly statuses: [number, number, number, number, number]
  readonly latency: Map<number, number>
}

export interface ClosedRecords {
  readonly billing: BillingRecord
  readonly analytics: ReadonlyArray<AnalyticsRecord>
}

export interface OpenWindow {
  readonly head: Head
  /** Takes in what was added, and gives the line of the log that tells it. */
  readonly add: (deltas: ReadonlyArray<Delta>, totals: Totals) => Entry
  /** All so far as one line. */
  readonly whole: () => Entry
  readonly close: () => ClosedRecords
}

/** Ids of a configuration are UUIDs; whatever else a router may give goes nowhere. */
const uuidOrOther = (id: string | null): string | null => (id === null || isUuid(id) ? id : otherId)

const pairsOf = (counts: ReadonlyMap<number, number>): ReadonlyArray<readonly [number, number]> =>
  [...counts].toSorted(([a], [b]) => a - b)

interface Played extends OpenWindow {
  readonly play: (entry: Entry) => void
}

const make = (head: Head, begun: Totals): Played => {
  const cells = new Map<number, WindowCell>()
  const numbers = new Map<RequestCell, number>()
  let totals = begun

  /** A cell whose name was lost is lost with it: it can't be told what it counts. */
  const play = ({ names, cells: added, ...rest }: Entry): void => {
    totals = rest
    for (const [n, ...of] of names) cells.set(n, { names: of, statuses: [0, 0, 0, 0, 0], latency: new Map() })
    for (const [n, more, buckets] of added) {
      const cell = cells.get(n)
      if (cell === undefined) continue
      for (const [at, count] of more.entries()) cell.statuses[at] = (cell.statuses[at] ?? 0) + count
      for (const [bucket, count] of buckets) cell.latency.set(bucket, (cell.latency.get(bucket) ?? 0) + count)
    }
  }

  const add = (deltas: ReadonlyArray<Delta>, now: Totals): Entry => {
    const names: Array<Entry["names"][number]> = []
    const added = deltas.map(({ cell, statuses: more, latency: buckets }): Entry["cells"][number] => {
      const known = numbers.get(cell)
      if (known !== undefined) return [known, more, buckets]
      const n = numbers.size
      numbers.set(cell, n)
      const [serviceId, routeId, consumerId] = [cell.serviceId, cell.routeId, cell.consumerId].map(uuidOrOther)
      names.push([n, serviceId ?? null, routeId ?? null, consumerId ?? null])
      return [n, more, buckets]
    })
    const entry = { ...now, names, cells: added }
    play(entry)
    return entry
  }

  const whole = (): Entry => ({
    ...totals,
    names: [...cells].map(([n, { names }]) => [n, ...names]),
    cells: [...cells].map(([n, cell]) => [n, [...cell.statuses], pairsOf(cell.latency)])
  })

  const analyticsCell = ({ names, ...counts }: WindowCell): AnalyticsCell => {
    const [serviceId, routeId, consumerId] = names
    return {
      service: serviceId,
      route: routeId,
      consumer: consumerId,
      statuses: [...counts.statuses],
      latency: pairsOf(counts.latency)
    }
  }

  const close = (): ClosedRecords => {
    const window = { epoch: head.epoch, fromMs: head.fromMs, toMs: Math.max(head.fromMs, totals.toMs) }
    const { toMs: _, ...counts } = totals
    const ordered = [...cells].toSorted(([a], [b]) => a - b)
    const records = Map.groupBy(ordered, ([n]) => Math.floor(n / cellsPerRecord))
    return {
      billing: { lane: "billing", sequence: head.billing, ...window, ...counts },
      analytics: [...records].map(([at, numbered]) => ({
        lane: "analytics",
        sequence: head.analytics + at,
        ...window,
        cells: numbered.map(([, cell]) => analyticsCell(cell))
      }))
    }
  }

  return { head, play, add, whole, close }
}

/** Begins with the totals as they stand: its log may tell of it before anything was added. */
export const makeOpenWindow = (head: Head, totals: Totals): OpenWindow => make(head, totals)

const nothing = (toMs: number): Totals => ({ toMs, apiCalls: 0, services: 0, dropped: { records: 0, requests: 0 } })

const readHead = Schema.decodeUnknownOption(Head)
const readEntry = Schema.decodeUnknownOption(Entry)

/** What a log holds; none when not even its first line and one more are whole. */
export const replayWindow = Effect.fnUntraced(function* ([first, ...rest]: ReadonlyArray<Line>) {
  const head = Option.getOrUndefined(readHead(first?.value))
  if (head === undefined) return Option.none<ClosedRecords>()
  const window = make(head, nothing(head.fromMs))
  let isEmpty = true
  const play = ({ value }: Line): void => {
    const entry = Option.getOrUndefined(readEntry(value))
    if (entry === undefined) return
    isEmpty = false
    window.play(entry)
  }
  yield* eachInTurn(rest, play, ({ bytes }) => bytes)
  return isEmpty ? Option.none<ClosedRecords>() : Option.some(window.close())
})

export const requestsOf = ({ cells }: AnalyticsRecord): number =>
  cells.reduce((sum, { statuses: [a, b, c, d, e] }) => sum + a + b + c + d + e, 0)
