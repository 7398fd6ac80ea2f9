/** The spool as those who count and those who deliver see it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { uuidOf } from "../../../src/model/DeterministicId.ts"
import { bucketOf } from "../../../src/model/telemetry/LatencyBuckets.ts"
import type { TelemetryRecord } from "../../../src/model/telemetry/TelemetryRecord.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { compiledRoute, consumerOf, finished, idOf } from "../../support/requests.ts"
import {
  epochBytes,
  isAnalytics,
  isBilling,
  makeReceiver,
  quietly,
  requestsIn,
  spoolFolder,
  startSpool,
  sum,
  takeAll
} from "../../support/telemetrySpool.ts"

const route = compiledRoute(1, 1)

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
        for (const given of [{ telemetry: false }, { cluster_control_plane: undefined }]) {
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

describe("what waits too long, is damaged, or is not its own", () => {
  it(
    "analytics beyond its age goes, and is counted; of billing the newest of each life stays",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const one = yield* startSpool(disk, 1)
        for (let n = 0; n < 3; n++) {
          one.counters.record(finished({ compiled: route }))
          yield* Effect.sleep("20 seconds")
        }
        yield* one.end
        yield* Effect.sleep("1 day")
        const two = yield* startSpool(disk.crash({ kind: "process", seed: 0 }), 2, { telemetry_spool_max_age: 3600 })
        two.counters.record(finished({ compiled: route }))
        yield* Effect.sleep("20 seconds")
        assert.deepStrictEqual(two.spool.facts().dropped, { records: 3, requests: 3 })
        two.counters.record(finished({ compiled: route }))
        yield* Effect.sleep("20 seconds")
        const records = yield* two.spool.take(1e6)
        assert.strictEqual(records.filter(isBilling).find(({ sequence }) => sequence === 3)?.apiCalls, 3)
        assert.deepStrictEqual(records.filter(isBilling).at(-1)?.dropped, { records: 3, requests: 3 })
        assert.strictEqual(records.filter(isAnalytics).length, 2)
      })
    )
  )

  it(
    "a record that is damaged in the middle of a segment is skipped and counted, and those behind it are offered",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const { spool, counters } = yield* startSpool(disk, 1)
        for (let n = 0; n < 3; n++) {
          counters.record(finished({ compiled: route }))
          yield* Effect.sleep("20 seconds")
        }
        const [file = ""] = disk.hand.list(spoolFolder).filter((name) => name.includes("analytics"))
        disk.hand.flipBit(`${spoolFolder}/${file}`, 0.5)
        const records = yield* spool.take(1e6)
        assert.deepStrictEqual(
          records.filter(isAnalytics).map(({ sequence }) => sequence),
          [1, 3]
        )
        assert.strictEqual(records.filter(isBilling).at(-1)?.apiCalls, 3)
        assert.strictEqual(spool.facts().dropped.records, 1)
        assert.deepStrictEqual(yield* spool.take(1e6), records)
        assert.strictEqual(spool.facts().dropped.records, 1, "once")
        yield* spool.acknowledge(ackOf(records))
        yield* Effect.sleep("1 second")
        assert.deepStrictEqual(disk.hand.list(spoolFolder), [])
      })
    )
  )

  it(
    "what a power cut left of a heading goes, and what follows it is delivered",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const one = yield* startSpool(disk, 1, { analytics_flush_interval: 1 })
        one.counters.record(finished({ compiled: route }))
        yield* Effect.sleep("2 seconds")
        yield* one.end
        const left = disk.crash({ kind: "process", seed: 0 })
        const epoch = uuidOf(epochBytes(1))
        const path = `${spoolFolder}/${epoch}.billing.1.v1`
        const whole = Buffer.from(left.hand.read(path) ?? [])
        left.hand.write(path, Buffer.concat([whole.subarray(0, 12), Buffer.alloc(9), whole.subarray(21)]))
        const torn = Buffer.from("holdfast tel\0\0\0\0\0\0\0\0\0\0\0")
        left.hand.write(`${spoolFolder}/${epoch}.analytics.7.v1`, torn)
        const two = yield* startSpool(left, 2)
        yield* Effect.sleep("1 second")
        const records = yield* takeAll(two.spool)
        assert.deepInclude(records.filter(isBilling)[0], { apiCalls: 1 })
        yield* two.spool.acknowledge(ackOf(records))
        yield* Effect.sleep("1 second")
        assert.deepStrictEqual(left.hand.list(spoolFolder), [])
      })
    )
  )

  it(
    "files of another version, and those of nobody, stay as they are",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const one = yield* startSpool(disk, 1)
        one.counters.record(finished({ compiled: route }))
        yield* one.spool.flush
        yield* one.end
        const epoch = idOf("route", 9)
        const foreign = [`${epoch}.billing.1.v2`, `${epoch}.billing.1.v1`, "notes.txt"].map(
          (name) => `${spoolFolder}/${name}`
        )
        for (const path of foreign)
          disk.hand.write(path, Buffer.from("what another hand wrote, and more than a heading"))
        const two = yield* startSpool(disk.crash({ kind: "process", seed: 0 }), 2)
        yield* Effect.sleep("1 second")
        assert.strictEqual((yield* two.spool.take(1e6)).length, 2)
        for (const path of foreign) assert.isDefined(disk.hand.read(path), path)
      })
    )
  )

  it(
    "two processes on one prefix deliver each record once, with one content, but for the window that was open between them",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const one = yield* startSpool(disk, 1)
        const count = (life: typeof one, n: number) => {
          for (let at = 0; at < n; at++) life.counters.record(finished({ compiled: route }))
          return Effect.sleep("11 seconds")
        }
        yield* count(one, 5)
        // The first one lives on, and does not know of the second.
        const two = yield* startSpool(disk, 2)
        yield* count(two, 2)
        for (const n of [3, 4, 6]) yield* count(one, n)
        yield* count(two, 1)
        const receiver = makeReceiver()
        for (const { spool } of [two, one]) receiver.commit(yield* takeAll(spool))
        assert.deepInclude(receiver.ofEpoch(uuidOf(epochBytes(1))), { apiCalls: 18, matched: 18 })
        assert.deepInclude(receiver.ofEpoch(uuidOf(epochBytes(2))), { apiCalls: 3, matched: 3 })
      })
    )
  )
})
