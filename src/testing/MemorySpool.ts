/**
 * TelemetrySpool in memory: what was written outlives its process, as on a disk, and what was only counted dies with it.
 *
 * What may befall it, and why no sum is wrong: its process is killed between any two steps (the next one offers what was
 * written and not acknowledged, and counts in an epoch of its own); what was delivered is not known to be (it is offered
 * again, and known to the control plane); there is no room (analytics goes, oldest first, and is counted).
 */
import { Effect, Queue } from "effect"
import type { AnalyticsCell, AnalyticsRecord, Drops, TelemetryRecord } from "../model/telemetry/TelemetryRecord.ts"
import type { Acknowledgement, TelemetrySpool } from "../services/TelemetrySpool.ts"

/** What the disk has: one for all lives of a node. */
export interface SpoolDisk {
  records: ReadonlyArray<TelemetryRecord>
  /** All that was ever written, to compare with what arrives. */
  readonly written: Array<TelemetryRecord>
  /** Analytics that went for want of room, in all lives. */
  dropped: Drops
}

export interface Window {
  readonly fromMs: number
  readonly toMs: number
  readonly apiCalls: number
  readonly services: number
  readonly cells: ReadonlyArray<AnalyticsCell>
}

export interface MemorySpool {
  readonly service: TelemetrySpool["Service"]
  /** Writes a window's records, of both lanes. */
  readonly endWindow: (window: Window) => void
}

export interface MemorySpoolOptions {
  readonly disk: SpoolDisk
  readonly epoch: string
  /** How many records of analytics there is room for. Default: no bound. */
  readonly analyticsMax?: number
}

export const makeSpoolDisk = (): SpoolDisk => ({ records: [], written: [], dropped: { records: 0, requests: 0 } })

const sizeOf = (record: TelemetryRecord): number => JSON.stringify(record).length

const isAnalytics = (record: TelemetryRecord): record is AnalyticsRecord => record.lane === "analytics"

export const requestsOf = ({ cells }: AnalyticsRecord): number =>
  cells.reduce((sum, { statuses }) => sum + statuses.reduce((all, count) => all + count, 0), 0)

const isKnown = ({ epoch, lane, sequence }: TelemetryRecord, acknowledged: ReadonlyArray<Acknowledgement>): boolean =>
  acknowledged.some((given) => given.epoch === epoch && given.lane === lane && sequence <= given.sequence)

const upTo = (records: ReadonlyArray<TelemetryRecord>, maxBytes: number): ReadonlyArray<TelemetryRecord> => {
  let bytes = 0
  return records.filter((record, at) => {
    bytes += sizeOf(record)
    return at === 0 || bytes <= maxBytes
  })
}

export const makeMemorySpool = ({
  disk,
  epoch,
  analyticsMax = Number.POSITIVE_INFINITY
}: MemorySpoolOptions): Effect.Effect<MemorySpool> =>
  Effect.map(Queue.sliding<void>(1), (news) => {
    let sequence = 0
    let apiCalls = 0
    let dropped: Drops = { records: 0, requests: 0 }

    const offered = (): ReadonlyArray<TelemetryRecord> => [
      ...disk.records.filter(({ lane }) => lane === "billing"),
      ...disk.records.filter(isAnalytics)
    ]

    const note = (drops: Drops, { requests }: { readonly requests: number }): Drops => ({
      records: drops.records + 1,
      requests: drops.requests + requests
    })

    const makeRoom = (): void => {
      while (disk.records.filter(isAnalytics).length > analyticsMax) {
        const oldest = disk.records.find(isAnalytics)
        if (oldest === undefined) return
        disk.records = disk.records.filter((record) => record !== oldest)
        dropped = note(dropped, { requests: requestsOf(oldest) })
        disk.dropped = note(disk.dropped, { requests: requestsOf(oldest) })
      }
    }

    const write = (record: TelemetryRecord): void => {
      disk.records = [...disk.records, record]
      disk.written.push(record)
    }

    const endWindow: MemorySpool["endWindow"] = ({ fromMs, toMs, cells, services, apiCalls: more }) => {
      sequence++
      apiCalls += more
      write({ lane: "analytics", epoch, sequence, fromMs, toMs, cells })
      makeRoom()
      write({ lane: "billing", epoch, sequence, fromMs, toMs, apiCalls, services, dropped })
      Queue.offerUnsafe(news, undefined)
    }

    const take = (maxBytes: number): Effect.Effect<ReadonlyArray<TelemetryRecord>> =>
      Effect.suspend(() =>
        disk.records.length > 0
          ? Effect.succeed(upTo(offered(), maxBytes))
          : Effect.andThen(Queue.take(news), take(maxBytes))
      )

    const facts = () => ({
      bytes: disk.records.reduce((sum, record) => sum + sizeOf(record), 0),
      records: disk.records.length,
      oldestMs: disk.records[0]?.toMs,
      dropped,
      problem: undefined
    })

    const acknowledge: TelemetrySpool["Service"]["acknowledge"] = (acknowledged) =>
      Effect.sync(() => {
        disk.records = disk.records.filter((record) => !isKnown(record, acknowledged))
      })

    return { service: { take, acknowledge, flush: Effect.void, facts }, endWindow }
  })
