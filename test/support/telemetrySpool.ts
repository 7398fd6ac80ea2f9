/** A life of the spool over a virtual disk, in virtual time: with counters of its own and as many services as the test says. */
import { Context, Effect, Exit, Layer, Logger, Scope, SubscriptionRef } from "effect"
import { makeCounters } from "../../src/layers/counted-requests/CountedRequests.ts"
import * as DiskTelemetrySpool from "../../src/layers/telemetry-spool/DiskTelemetrySpool.ts"
import type { SettingValues } from "../../src/model/SettingTable.ts"
import type { AnalyticsRecord, BillingRecord, TelemetryRecord } from "../../src/model/telemetry/TelemetryRecord.ts"
import { Disk } from "../../src/services/Disk.ts"
import { DiskSilence, listenedTo } from "../../src/services/DiskSilence.ts"
import { LiveConfig, type LiveState } from "../../src/services/LiveConfig.ts"
import { RequestCounters } from "../../src/services/RequestCounters.ts"
import { SecureRandom } from "../../src/services/SecureRandom.ts"
import { Settings } from "../../src/services/Settings.ts"
import { TelemetrySpool } from "../../src/services/TelemetrySpool.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { runVirtual } from "../../src/testing/runVirtual.ts"
import type { VirtualDisk } from "../../src/testing/VirtualDisk.ts"
import { joined } from "./live.ts"
import { settings } from "./settings.ts"

export const prefix = "/prefix"
export const spoolFolder = `${prefix}/telemetry`

/** A test in virtual time that says nothing. */
export const quietly =
  <A>(test: Effect.Effect<A>) =>
  () =>
    runVirtual(Effect.provide(test, Logger.layer([])))

const withServices = (count: number): LiveState =>
  ({ snapshot: { table: { services: Array.from({ length: count }) } } }) as unknown as LiveState

const unused = Effect.die("not used by these tests")

/** Ids of lives that differ, and are the same in each run of the test. */
export const epochBytes = (life: number): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? life : at))

export interface SpoolLife {
  readonly spool: TelemetrySpool["Service"]
  readonly counters: RequestCounters["Service"]
  readonly setServices: (count: number) => Effect.Effect<void>
  /** Ends the fibers, as the end of the process does. */
  readonly end: Effect.Effect<void>
}

export const startSpool = Effect.fnUntraced(function* (
  disk: VirtualDisk,
  life: number,
  given: Partial<SettingValues> = {}
): Effect.fn.Return<SpoolLife> {
  const counters = makeCounters()
  const state = yield* SubscriptionRef.make(withServices(0))
  const listened = listenedTo(disk.disk)
  const scope = yield* Scope.make()
  const layer = DiskTelemetrySpool.layer.pipe(
    Layer.provide([
      Layer.succeed(Settings, { ...settings({ ...joined, prefix }), ...given }),
      Layer.succeed(Disk, listened.disk),
      Layer.succeed(DiskSilence, listened.silence),
      Layer.succeed(RequestCounters, counters),
      Layer.succeed(SecureRandom, { bytes: () => Effect.succeed(epochBytes(life)) }),
      Layer.succeed(LiveConfig, {
        state,
        current: undefined as never,
        apply: () => unused,
        note: () => unused,
        passOver: () => unused
      }),
      TrustedClock.layerWall
    ])
  )
  const context = yield* Layer.buildWithScope(layer, scope)
  return {
    spool: Context.get(context, TelemetrySpool),
    counters,
    setServices: (count) => SubscriptionRef.set(state, withServices(count)),
    end: Scope.close(scope, Exit.void)
  }
})

export const isBilling = (record: TelemetryRecord): record is BillingRecord => record.lane === "billing"
export const isAnalytics = (record: TelemetryRecord): record is AnalyticsRecord => record.lane === "analytics"

export const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)

/** Requests that matched a route, and those that did not. */
export const requestsIn = ({ cells }: AnalyticsRecord) => {
  const count = (isMatched: boolean) =>
    sum(cells.filter(({ route }) => (route !== null) === isMatched).flatMap(({ statuses }) => statuses))
  return { matched: count(true), unmatched: count(false) }
}

const keyOf = ({ epoch, lane, sequence }: TelemetryRecord) => `${epoch} ${lane} ${sequence}`

/**
 * A control plane that commits what it is given once, and judges how it was given: the same record always with the same content, and
 * in order within an epoch and a lane.
 */
export const makeReceiver = () => {
  const committed = new Map<string, TelemetryRecord>()
  const acknowledged = new Set<string>()

  const judge = (batch: ReadonlyArray<TelemetryRecord>): void => {
    const newest = new Map<string, number>()
    for (const record of batch) {
      const key = keyOf(record)
      if (acknowledged.has(key)) throw new Error(`${key} was acknowledged in this life, and is offered again`)
      const lane = `${record.epoch} ${record.lane}`
      if (record.sequence <= (newest.get(lane) ?? 0)) throw new Error(`${key} is out of order`)
      newest.set(lane, record.sequence)
    }
    const lanes = batch.map(({ lane }) => lane)
    if (lanes.lastIndexOf("billing") > lanes.indexOf("analytics") && lanes.includes("analytics"))
      if (lanes.includes("billing")) throw new Error("analytics came before billing")
  }

  return {
    /**
     * Of an epoch whose disk failed, and then its process, a record may come with less in it than before: it was offered from memory.
     */
    commit: (batch: ReadonlyArray<TelemetryRecord>, mayDiffer: (epoch: string) => boolean = () => false): void => {
      judge(batch)
      for (const record of batch) {
        const known = committed.get(keyOf(record))
        if (known === undefined) committed.set(keyOf(record), record)
        else if (!mayDiffer(record.epoch) && JSON.stringify(known) !== JSON.stringify(record))
          throw new Error(`${keyOf(record)} has other content: ${JSON.stringify(known)}, ${JSON.stringify(record)}`)
      }
    },
    /** In the life that is now. */
    acknowledged: (batch: ReadonlyArray<TelemetryRecord>) => {
      for (const record of batch) acknowledged.add(keyOf(record))
      return batch.map(({ epoch, lane, sequence }) => ({ epoch, lane, sequence }))
    },
    newLife: () => acknowledged.clear(),
    /** Another end of the same past. */
    fork: () => {
      const other = makeReceiver()
      other.commit(
        [...committed.values()].toSorted((a, b) =>
          a.lane === b.lane ? a.sequence - b.sequence : a.lane < b.lane ? 1 : -1
        )
      )
      return other
    },
    /** What is known of an epoch: the newest total, what was dropped, and the sum of its analytics. */
    ofEpoch: (epoch: string) => {
      const own = [...committed.values()].filter((record) => record.epoch === epoch)
      const newest = own.filter(isBilling).toSorted((a, b) => b.sequence - a.sequence)[0]
      const counts = own.filter(isAnalytics).map(requestsIn)
      return {
        apiCalls: newest?.apiCalls ?? 0,
        dropped: newest?.dropped ?? { records: 0, requests: 0 },
        matched: sum(counts.map(({ matched }) => matched)),
        unmatched: sum(counts.map(({ unmatched }) => unmatched))
      }
    }
  }
}

export type Receiver = ReturnType<typeof makeReceiver>

/** Takes whatever is there, without waiting for more. */
export const takeAll = (spool: TelemetrySpool["Service"], maxBytes = 1e9) =>
  Effect.raceFirst(spool.take(maxBytes), Effect.as(Effect.sleep("3 seconds"), [] as ReadonlyArray<TelemetryRecord>))
