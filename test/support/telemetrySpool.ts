/** A life of the spool over a virtual disk, in virtual time: with counters of its own and as many services as the test says. */
import { Context, Effect, Exit, Layer, Scope, SubscriptionRef } from "effect"
import { makeCounters } from "../../src/layers/counted-requests/CountedRequests.ts"
import * as DiskTelemetrySpool from "../../src/layers/telemetry-spool/DiskTelemetrySpool.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import type { AnalyticsRecord, BillingRecord, TelemetryRecord } from "../../src/model/telemetry/TelemetryRecord.ts"
import { Disk } from "../../src/services/Disk.ts"
import { DiskSilence, listenedTo } from "../../src/services/DiskSilence.ts"
import { LiveConfig, type LiveState } from "../../src/services/LiveConfig.ts"
import { RequestCounters } from "../../src/services/RequestCounters.ts"
import { SecureRandom } from "../../src/services/SecureRandom.ts"
import { TelemetrySpool } from "../../src/services/TelemetrySpool.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import type { VirtualDisk } from "../../src/testing/VirtualDisk.ts"
import { joined } from "./live.ts"
import { settingsLayer } from "./settings.ts"

export const prefix = "/prefix"
export const spoolFolder = `${prefix}/telemetry`

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
  given: Partial<Record<SettingName, string>> = {}
): Effect.fn.Return<SpoolLife> {
  const counters = makeCounters()
  const state = yield* SubscriptionRef.make(withServices(0))
  const listened = listenedTo(disk.disk)
  const scope = yield* Scope.make()
  const layer = DiskTelemetrySpool.layer.pipe(
    Layer.provide([
      settingsLayer({ ...joined, cluster_ca_cert: "ca", prefix, ...given }),
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
