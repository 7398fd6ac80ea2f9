/** What data planes counted is kept once, however often and in whatever order it comes (`faults.md`, the row on telemetry). */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as SqliteClient from "../../../../src/layers/sqlite/SqliteClient.ts"
import { withTables } from "../../../../src/layers/sqlite/StoreFile.ts"
import * as SqliteTelemetryStore from "../../../../src/layers/sqlite/telemetry/SqliteTelemetryStore.ts"
import { quantileMs } from "../../../../src/model/telemetry/Histogram.ts"
import { minuteMs } from "../../../../src/model/telemetry/Minutes.ts"
import type { AnalyticsCell, BillingRecord, TelemetryRecord } from "../../../../src/model/telemetry/TelemetryRecord.ts"
import { type RequestGroup, TelemetryStore } from "../../../../src/services/control/TelemetryStore.ts"
import type { Acknowledgement } from "../../../../src/services/TelemetrySpool.ts"
import { makeMemorySpool, makeSpoolDisk, requestsOf } from "../../../../src/testing/MemorySpool.ts"
import { propertyRuns } from "../../../support/propertyRuns.ts"
import { settingsLayer } from "../../../support/settings.ts"
import { skewedClock } from "../../../support/skewedClock.ts"
import { billedIn, cellOf, uuidOf, windowOf } from "../../../support/telemetry.ts"

const nowMs = Date.UTC(2026, 10, 23, 12, 0, 30)
const dayMs = 86_400_000
const node = uuidOf(1)
const nothing = { bytes: 0, records: 0, oldest_ms: null }
const everything = { fromMs: 0, toMs: nowMs + 365 * dayMs }

const store = (given: Parameters<typeof settingsLayer>[0]) =>
  SqliteTelemetryStore.layer.pipe(
    Layer.provide(Layer.orDie(withTables(SqliteClient.layer(":memory:")))),
    Layer.provide(settingsLayer(given))
  )

const commit = (records: ReadonlyArray<TelemetryRecord>, of = node) =>
  Effect.flatMap(TelemetryStore, (telemetry) => telemetry.commit(of, { records, spool: nothing }))

const usage = (period = {}) => Effect.flatMap(TelemetryStore, (telemetry) => telemetry.usage(period))

const requests = (by: RequestGroup, more = {}) =>
  Effect.flatMap(TelemetryStore, (telemetry) =>
    telemetry.requests({ by, ...everything, stepMs: 1_000 * dayMs, pointsMax: 1_000, ...more })
  )

const countOf = (points: ReadonlyArray<{ readonly statuses: ReadonlyArray<number> }>): number =>
  points.reduce((sum, { statuses }) => sum + statuses.reduce((all, count) => all + count, 0), 0)

const analytics = (sequence: number, cells: ReadonlyArray<AnalyticsCell>, fromMs = nowMs): TelemetryRecord => ({
  lane: "analytics",
  epoch: uuidOf(9),
  sequence,
  fromMs,
  toMs: fromMs + 1_000,
  cells
})

const billing = (sequence: number, apiCalls: number, more: Partial<BillingRecord> = {}): TelemetryRecord => ({
  lane: "billing",
  epoch: uuidOf(9),
  sequence,
  fromMs: nowMs,
  toMs: nowMs + 1_000,
  apiCalls,
  services: 2,
  dropped: { records: 0, requests: 0 },
  ...more
})

/** The time is set first: whoever sleeps would wake for every hour before it. */
const stored = <A, E>(test: Effect.Effect<A, E, TelemetryStore>, given: Parameters<typeof settingsLayer>[0] = {}) =>
  Effect.andThen(TestClock.setTime(nowMs), Effect.provide(test, store(given)))

describe("what is committed once", () => {
  it.effect("is acknowledged as often as it comes, and counts once", () =>
    Effect.gen(function* () {
      const batch = [billing(1, 5), billing(2, 12), analytics(1, [cellOf(0, 12)])]
      const first = yield* commit(batch)
      assert.sameDeepMembers(
        [...first],
        [
          { epoch: uuidOf(9), lane: "billing", sequence: 2 },
          { epoch: uuidOf(9), lane: "analytics", sequence: 1 }
        ]
      )
      assert.sameDeepMembers([...(yield* commit(batch))], [...first])
      assert.deepStrictEqual(yield* commit([billing(1, 5)]), [{ epoch: uuidOf(9), lane: "billing", sequence: 2 }])
      assert.deepStrictEqual([...(yield* usage()).apiCalls], [[node, 12]])
      assert.strictEqual(countOf(yield* requests("route")), 12)
    }).pipe(stored)
  )

  it.effect("of one life of a process counts once, whatever node id it comes under later", () =>
    Effect.gen(function* () {
      // The id of the node changed between two lives, while its spool held what no acknowledgement was heard of.
      yield* commit([billing(1, 5), billing(2, 12), analytics(1, [cellOf(0, 12)])])
      const other = uuidOf(2)
      const again = yield* commit([billing(2, 12), billing(3, 13), analytics(1, [cellOf(0, 12)])], other)
      assert.sameDeepMembers(
        [...again],
        [
          { epoch: uuidOf(9), lane: "billing", sequence: 3 },
          { epoch: uuidOf(9), lane: "analytics", sequence: 1 }
        ]
      )
      yield* commit([billing(3, 13), billing(4, 15)])
      assert.deepStrictEqual(
        [...(yield* usage()).apiCalls],
        [
          [node, 14],
          [other, 1]
        ]
      )
      assert.strictEqual(countOf(yield* requests("route")), 12)
    }).pipe(stored)
  )

  it.effect("in an order of its own within a batch, all of it counts", () =>
    Effect.gen(function* () {
      yield* commit([analytics(3, [cellOf(0, 1)]), analytics(1, [cellOf(0, 10)]), analytics(2, [cellOf(0, 100)])])
      assert.strictEqual(countOf(yield* requests("service")), 111)
    }).pipe(stored)
  )

  it.effect("a total that falls takes nothing away, and the next one adds what is more than the highest", () =>
    Effect.gen(function* () {
      yield* commit([billing(1, 10)])
      yield* commit([billing(2, 4)])
      yield* commit([billing(3, 11)])
      assert.deepStrictEqual([...(yield* usage()).apiCalls], [[node, 11]])
    }).pipe(stored)
  )

  it.effect("numbers that no node can mean break no sum", () =>
    Effect.gen(function* () {
      const huge = Number.MAX_SAFE_INTEGER
      const cell: AnalyticsCell = { ...cellOf(0, 1), statuses: [0, huge, 0, 0, 0], latency: [[huge, huge]] }
      for (const epoch of [1, 2, 3]) {
        yield* commit([
          billing(1, huge, { epoch: uuidOf(epoch) }),
          { ...analytics(1, [cell], -1e300), epoch: uuidOf(epoch) },
          { ...analytics(2, [cell], 1e300), epoch: uuidOf(epoch) }
        ])
      }
      assert.strictEqual((yield* usage()).apiCalls.get(node), huge)
      assert.strictEqual((yield* requests("route"))[0]?.statuses[1], huge)
    }).pipe(stored)
  )
})

describe("where it counts", () => {
  it.effect("in the minute in which the window began", () =>
    Effect.gen(function* () {
      yield* commit([
        billing(1, 1, { fromMs: nowMs - 5 * minuteMs }),
        billing(2, 4, { fromMs: nowMs - minuteMs, services: 9 }),
        billing(3, 10, { fromMs: nowMs, services: 4 })
      ])
      const minute = nowMs - 30_000
      const asked = (fromMinutes: number, toMinutes: number) =>
        usage({ fromMs: minute + fromMinutes * minuteMs, toMs: minute + toMinutes * minuteMs })
      assert.deepStrictEqual([...(yield* asked(-5, -4)).apiCalls.values()], [1])
      assert.deepStrictEqual([...(yield* asked(-4, 0)).apiCalls.values()], [3])
      assert.strictEqual((yield* asked(-4, 0)).services, 9)
      assert.strictEqual((yield* asked(-4, 1)).services, 4, "the last known within the period")
      assert.strictEqual((yield* asked(1, 9)).services, undefined)
      assert.deepInclude(yield* usage(), { fromMs: minute - 5 * minuteMs, toMs: minute + minuteMs })
    }).pipe(stored)
  )

  it.effect("with the services that were told last, also where a process starts anew within the minute", () =>
    Effect.gen(function* () {
      yield* commit([
        billing(50, 10, { epoch: uuidOf(8), services: 3, toMs: nowMs + 1_000 }),
        billing(1, 5, { services: 9, fromMs: nowMs + 2_000, toMs: nowMs + 3_000 })
      ])
      assert.strictEqual((yield* usage()).services, 9)
    }).pipe(stored)
  )

  it.effect("by a node whose clock is wrong, in the minute of its arrival, and is in every sum", () =>
    Effect.gen(function* () {
      yield* commit([
        billing(1, 1, { fromMs: 0 }),
        billing(2, 3, { fromMs: nowMs + 40 * dayMs }),
        analytics(1, [cellOf(0, 5)], 0),
        analytics(2, [cellOf(0, 7)], nowMs + 40 * dayMs)
      ])
      const period = { fromMs: nowMs - 30_000, toMs: nowMs + 30_000 }
      assert.deepStrictEqual([...(yield* usage(period)).apiCalls.values()], [3])
      assert.strictEqual(countOf(yield* requests("route", period)), 12)
    }).pipe(stored)
  )

  it.effect("by service, route, consumer and status, step by step, with one histogram of all", () =>
    Effect.gen(function* () {
      const minute = nowMs - 30_000
      yield* commit([
        analytics(1, [cellOf(0, 10, 100), cellOf(1, 5, 200)], minute - 2 * minuteMs),
        analytics(2, [cellOf(0, 90, 100), { ...cellOf(0, 3), service: null, route: null }], minute)
      ])
      const period = { fromMs: minute - 2 * minuteMs, toMs: minute + minuteMs, stepMs: 2 * minuteMs }
      const points = yield* requests("route", period)
      assert.deepStrictEqual(
        points.map(({ fromMs, id, statuses }) => [(fromMs - minute) / minuteMs, id, ...statuses]),
        [
          [-2, uuidOf(200), 0, 8, 0, 0, 2],
          [-2, uuidOf(201), 0, 4, 0, 0, 1],
          [0, null, 0, 3, 0, 0, 0],
          [0, uuidOf(200), 0, 72, 0, 0, 18]
        ]
      )
      const median = quantileMs((yield* requests("consumer"))[0]?.latency ?? [], 0.5) ?? 0
      assert.isTrue(median > 87 && median < 113, String(median))
      assert.deepStrictEqual(
        (yield* requests("status")).map(({ id, statuses }) => [id, countOf([{ statuses }])]),
        [
          ["2xx", 87],
          ["5xx", 21]
        ]
      )
      assert.strictEqual((yield* Effect.flip(requests("route", { ...period, pointsMax: 3 })))._tag, "TooManyPoints")
    }).pipe(stored)
  )
})

it.effect("a node's last word: its newest epoch, what waits there, and all that was dropped", () =>
  Effect.gen(function* () {
    const telemetry = yield* TelemetryStore
    const dropped = { records: 1, requests: 10 }
    yield* commit([billing(1, 1, { epoch: uuidOf(8), dropped })])
    yield* telemetry.commit(node, {
      records: [billing(3, 2, { dropped }), analytics(7, []), { ...analytics(1, []), epoch: uuidOf(8) }],
      spool: { bytes: 5, records: 6, oldest_ms: 7 }
    })
    assert.deepStrictEqual((yield* telemetry.nodes).get(node), {
      receivedMs: nowMs,
      committed: 4,
      epoch: uuidOf(9),
      acknowledged: { billing: 3, analytics: 7 },
      spooled: { bytes: 5, records: 6, oldestMs: 7 },
      dropped: { records: 2, requests: 20 }
    })
  }).pipe(stored)
)

describe("retention", () => {
  const oldRecords = [
    billing(1, 1, { fromMs: nowMs - 9 * dayMs }),
    billing(2, 3, { fromMs: nowMs - 3 * dayMs }),
    analytics(1, [cellOf(0, 5)], nowMs - 3 * dayMs),
    analytics(2, [cellOf(0, 7)], nowMs)
  ]
  const kept = { telemetry_retention: "4", billing_retention: "10" }

  it.effect("what is older goes within the hour, of either kind by its own setting", () =>
    Effect.gen(function* () {
      yield* commit(oldRecords)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([countOf(yield* requests("route")), (yield* usage()).apiCalls.get(node)], [12, 3])
      yield* TestClock.adjust("26 hours")
      assert.deepStrictEqual([countOf(yield* requests("route")), (yield* usage()).apiCalls.get(node)], [7, 2])
    }).pipe((test) => stored(test, kept))
  )

  it.effect("what a process that was idle for longer counts next is added to what it had counted before", () =>
    Effect.gen(function* () {
      yield* commit([billing(1, 1_000_000)])
      yield* TestClock.adjust("72 hours")
      const wokenMs = nowMs + 3 * dayMs
      yield* commit([billing(2, 1_000_001, { fromMs: wokenMs })])
      assert.deepStrictEqual([...(yield* usage({ fromMs: wokenMs - dayMs })).apiCalls.values()], [1])
    }).pipe((test) => stored(test, { billing_retention: "1" }))
  )

  it.effect("analytics that is kept for longer than billing counts once for as long as it is kept", () =>
    Effect.gen(function* () {
      yield* commit([analytics(1, [cellOf(0, 5)])])
      yield* TestClock.adjust("72 hours")
      yield* commit([analytics(1, [cellOf(0, 5)])])
      assert.strictEqual(countOf(yield* requests("route")), 5)
    }).pipe((test) => stored(test, { billing_retention: "1", telemetry_retention: "30" }))
  )

  it.effect("a clock that jumps takes nothing with it, until it has stayed for an hour", () => {
    const skew = { wallErrorMs: 0 }
    return Effect.gen(function* () {
      yield* commit(oldRecords)
      const count = Effect.map(requests("route"), countOf)
      yield* TestClock.adjust("30 minutes")
      skew.wallErrorMs = 300 * dayMs
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* count, 12)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* count, 0)
    }).pipe((test) =>
      Effect.andThen(TestClock.setTime(nowMs), Effect.provide(test, store(kept).pipe(Layer.provide(skewedClock(skew)))))
    )
  })
})

/**
 * A node's spool and any number of connections: what was sent may be committed late, twice, at once, and its acknowledgement
 * may never arrive. Whatever is sent begins with what is not known to be acknowledged.
 */
const Step = Schema.Union([
  Schema.Struct({ do: Schema.tag("count"), requests: Schema.Literals([0, 1, 7, 40]) }),
  Schema.Struct({ do: Schema.tag("restart") }),
  Schema.Struct({ do: Schema.tag("send"), bytes: Schema.Literals([300, 1_000, 100_000]) }),
  /** Of what was sent and may still arrive: these two, at the same time. */
  Schema.Struct({ do: Schema.tag("arrive"), one: Schema.Literals([0, 1, 2, 3]), other: Schema.Literals([0, 1, 2, 3]) }),
  Schema.Struct({ do: Schema.tag("hear"), which: Schema.Literals([0, 1, 2]) })
])

it.effect.prop(
  "sums are what was counted, whatever order batches arrive in, however often, however many at a time",
  [Arbitrary.array(Arbitrary.schema(Step), { minLength: 30, maxLength: 60 })],
  ([steps]) =>
    Effect.gen(function* () {
      const disk = makeSpoolDisk()
      let epoch = 1
      let spool = yield* makeMemorySpool({ disk, epoch: uuidOf(epoch) })
      const sent: Array<ReadonlyArray<TelemetryRecord>> = []
      const answers: Array<ReadonlyArray<Acknowledgement>> = []
      const arrive = (records: ReadonlyArray<TelemetryRecord> | undefined) =>
        records === undefined ? Effect.void : Effect.map(commit(records), (answer) => void answers.push(answer))
      for (const step of steps) {
        if (step.do === "count") spool.endWindow(windowOf(nowMs, step.requests))
        else if (step.do === "restart") spool = yield* makeMemorySpool({ disk, epoch: uuidOf(++epoch) })
        else if (step.do === "send" && disk.records.length > 0) sent.push(yield* spool.service.take(step.bytes))
        else if (step.do === "arrive")
          yield* Effect.all([arrive(sent.at(-1 - step.one)), arrive(sent.at(-1 - step.other))], {
            concurrency: "unbounded"
          })
        else if (step.do === "hear") yield* spool.service.acknowledge(answers.at(-1 - step.which) ?? [])
      }
      while (disk.records.length > 0) yield* spool.service.acknowledge(yield* commit(yield* spool.service.take(1_000)))
      const counted = disk.written.reduce(
        (sum, record) => sum + (record.lane === "analytics" ? requestsOf(record) : 0),
        0
      )
      assert.strictEqual((yield* usage()).apiCalls.get(node) ?? 0, billedIn(disk.written))
      assert.strictEqual(countOf(yield* requests("route")), counted)
    }).pipe(stored),
  propertyRuns
)
