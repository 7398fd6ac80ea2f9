/** The spool as those who count and those who deliver see it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { bucketOf } from "../../../src/model/telemetry/LatencyBuckets.ts"
import type { TelemetryRecord } from "../../../src/model/telemetry/TelemetryRecord.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { compiledRoute, consumerOf, finished, idOf } from "../../support/requests.ts"
import { isAnalytics, isBilling, requestsIn, spoolFolder, startSpool, sum } from "../../support/telemetrySpool.ts"

const route = compiledRoute(1, 1)

const quietly =
  <A>(test: Effect.Effect<A>) =>
  () =>
    runVirtual(Effect.provide(test, Logger.layer([])))

const ackOf = (records: ReadonlyArray<TelemetryRecord>) =>
  records.map(({ epoch, lane, sequence }) => ({ epoch, lane, sequence }))

describe("the spool", () => {
  it(
    "closes a window after ten seconds: one billing record, and analytics by ids",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const { spool, counters, setServices } = yield* startSpool(disk, 1)
        yield* setServices(3)
        yield* Effect.sleep("1 second")
        for (let n = 0; n < 5; n++)
          counters.record(finished({ compiled: route, status: 200 + n * 100 - (n > 3 ? 100 : 0) }))
        counters.record(finished({ compiled: route, consumer: consumerOf(1), endedAtMs: 250 }))
        counters.record(finished({ status: 404, source: "error" }))
        yield* Effect.sleep("8 seconds")
        const waiting = yield* Effect.forkChild(spool.take(100_000), { startImmediately: true })
        yield* Effect.sleep("500 millis")
        assert.isUndefined(waiting.pollUnsafe())
        const records = yield* Fiber.join(waiting)
        assert.deepStrictEqual(
          records.map(({ lane, sequence }) => [lane, sequence]),
          [
            ["billing", 1],
            ["analytics", 1]
          ]
        )
        const [billing] = records.filter(isBilling)
        assert.deepInclude(billing, { apiCalls: 6, services: 3, dropped: { records: 0, requests: 0 } })
        assert.strictEqual((billing?.toMs ?? 0) - (billing?.fromMs ?? 0), 10_000)
        assert.deepStrictEqual(records.filter(isAnalytics)[0]?.cells, [
          {
            service: idOf("service", 1),
            route: idOf("route", 1),
            consumer: null,
            statuses: [0, 1, 1, 1, 2],
            latency: [[bucketOf(10), 5]]
          },
          {
            service: idOf("service", 1),
            route: idOf("route", 1),
            consumer: idOf("consumer", 1),
            statuses: [0, 1, 0, 0, 0],
            latency: [[bucketOf(250), 1]]
          },
          { service: null, route: null, consumer: null, statuses: [0, 0, 0, 1, 0], latency: [[bucketOf(10), 1]] }
        ])
      })
    )
  )

  it(
    "offers again what was not acknowledged, and never what was; billing is cumulative, analytics is not",
    quietly(
      Effect.gen(function* () {
        const { spool, counters } = yield* startSpool(VirtualDisk.make(), 1)
        const count = (n: number) => {
          for (let at = 0; at < n; at++) counters.record(finished({ compiled: route }))
          return Effect.sleep("11 seconds")
        }
        yield* count(3)
        yield* count(4)
        const first = yield* spool.take(1e6)
        assert.deepStrictEqual(yield* spool.take(1e6), first)
        assert.deepStrictEqual(
          first.filter(isBilling).map(({ apiCalls }) => apiCalls),
          [3, 7]
        )
        assert.deepStrictEqual(
          first.filter(isAnalytics).map((record) => requestsIn(record).matched),
          [3, 4]
        )
        assert.strictEqual((yield* spool.take(1)).length, 1)
        yield* spool.acknowledge(ackOf(first.slice(0, 1)))
        assert.deepStrictEqual(yield* spool.take(1e6), first.slice(1))
        yield* spool.acknowledge(ackOf(first))
        yield* count(1)
        const next = yield* spool.take(1e6)
        assert.deepStrictEqual(
          next.map(({ sequence }) => sequence),
          [3, 3]
        )
        yield* spool.acknowledge(ackOf(next))
        yield* Effect.sleep("1 second")
        assert.deepInclude(spool.facts(), { bytes: 0, records: 0, oldestMs: undefined, problem: undefined })
      })
    )
  )

  it(
    "leaves no file behind when all was taken, and sleeps while nothing is counted",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const { spool, counters } = yield* startSpool(disk, 1)
        counters.record(finished({ compiled: route }))
        yield* Effect.sleep("11 seconds")
        yield* spool.acknowledge(ackOf(yield* spool.take(1e6)))
        yield* Effect.sleep("5 seconds")
        assert.deepStrictEqual(disk.hand.list(spoolFolder), [])
        const calls = disk.callCount()
        yield* Effect.sleep("1 hour")
        assert.strictEqual(disk.callCount(), calls)
      })
    )
  )

  it(
    "brings everything to disk when it is flushed, for the next life to offer",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const one = yield* startSpool(disk, 1)
        for (let n = 0; n < 7; n++) one.counters.record(finished({ compiled: route }))
        yield* one.spool.flush
        yield* one.end
        const two = yield* startSpool(disk.crash({ kind: "power", seed: 1 }), 2)
        yield* Effect.sleep("1 second")
        const records = yield* two.spool.take(1e6)
        assert.deepStrictEqual(
          records.filter(isBilling).map(({ apiCalls }) => apiCalls),
          [7]
        )
        assert.strictEqual(sum(records.filter(isAnalytics).map((record) => requestsIn(record).matched)), 7)
      })
    )
  )

  it(
    "of a node on its own, or with telemetry=off, writes nothing and keeps nobody waiting at a stop",
    quietly(
      Effect.gen(function* () {
        const onItsOwn = { cluster_control_plane: undefined } as unknown as Record<string, string>
        for (const given of [{ telemetry: "off" }, onItsOwn]) {
          const disk = VirtualDisk.make()
          const { spool, counters } = yield* startSpool(disk, 1, given)
          counters.record(finished({ compiled: route }))
          yield* spool.flush
          yield* Effect.sleep("1 minute")
          assert.strictEqual(disk.callCount(), 0)
        }
      })
    )
  )
})
