/** What the newest billing record says is all there is to say, also when nothing is counted after it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { makeCounters } from "../../../src/layers/counted-requests/CountedRequests.ts"
import { Shelf } from "../../../src/layers/telemetry-spool/Shelf.ts"
import { makeWindows } from "../../../src/layers/telemetry-spool/windows.ts"
import { uuidOf } from "../../../src/model/DeterministicId.ts"
import type { TelemetryRecord } from "../../../src/model/telemetry/TelemetryRecord.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { compiledRoute, finished } from "../../support/requests.ts"
import {
  epochBytes,
  isBilling,
  makeReceiver,
  type SpoolLife,
  spoolFolder,
  startSpool,
  takeAll
} from "../../support/telemetrySpool.ts"

const routes = Array.from({ length: 40 }, (_, n) => compiledRoute(n, 1))

const quietly =
  <A>(test: Effect.Effect<A>) =>
  () =>
    runVirtual(Effect.provide(test, Logger.layer([])))

const count = ({ counters }: SpoolLife, n: number) => {
  for (let at = 0; at < n; at++) counters.record(finished({ compiled: routes[at % routes.length] }))
}

const narrow = { analytics_flush_interval: 1, telemetry_spool_max_bytes: 20_000 }

/** Fills the spool until something had to go. */
const overflow = Effect.fnUntraced(function* (life: SpoolLife) {
  while (life.spool.facts().dropped.requests === 0) {
    count(life, 40)
    yield* Effect.sleep("1 second")
  }
})

const deliverAll = Effect.fnUntraced(function* ({ spool }: SpoolLife) {
  const delivered: Array<TelemetryRecord> = []
  for (;;) {
    const batch = yield* takeAll(spool)
    if (batch.length === 0) return delivered
    delivered.push(...batch)
    yield* spool.acknowledge(batch.map(({ epoch, lane, sequence }) => ({ epoch, lane, sequence })))
  }
})

describe("the newest billing record", () => {
  it(
    "tells of the last drop, though the traffic stopped with it",
    quietly(
      Effect.gen(function* () {
        const life = yield* startSpool(VirtualDisk.make(), 1, narrow)
        yield* overflow(life)
        yield* Effect.sleep("10 seconds")
        const { dropped } = life.spool.facts()
        assert.deepStrictEqual((yield* deliverAll(life)).filter(isBilling).at(-1)?.dropped, dropped)
        yield* Effect.sleep("1 minute")
        assert.strictEqual(life.spool.facts().records, 0, "and then there is nothing more to say")
      })
    )
  )

  it(
    "tells of a drop that the last window of a life caused",
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const life = yield* startSpool(disk, 1, { ...narrow, analytics_flush_interval: 3600 })
        while (life.spool.facts().dropped.requests === 0) {
          count(life, 40)
          yield* life.spool.flush
        }
        const { dropped } = life.spool.facts()
        yield* life.end
        const next = yield* startSpool(disk.crash({ kind: "process", seed: 0 }), 2, narrow)
        yield* Effect.sleep("1 second")
        const told = (yield* deliverAll(next)).filter(isBilling).filter(({ epoch }) => epoch === uuidOf(epochBytes(1)))
        assert.deepStrictEqual(told.at(-1)?.dropped, dropped)
      })
    )
  )

  it("of a window that a crash ends before anything was counted in it says what was served before", () => {
    const counters = makeCounters()
    const shelf = new Shelf(uuidOf(epochBytes(1)), { maxBytes: 1e6, maxAgeMs: 1e6, memoryMaxBytes: 1e6 })
    const windows = makeWindows({ epoch: uuidOf(epochBytes(1)), counters, shelf, services: () => 3 })
    counters.record(finished({ compiled: routes[0] }))
    windows.close(1_000)
    windows.begin(2_000)
    assert.deepInclude(windows.current()?.whole(), { toMs: 2_000, apiCalls: 1, services: 3 })
  })

  it(
    "bills all that a process served, though another one started on its prefix before it had ended",
    quietly(
      Effect.gen(function* () {
        for (const overlapMs of [50, 500, 1_500, 5_000]) {
          const disk = VirtualDisk.make()
          const receiver = makeReceiver()
          const isBilledFirst = () => true
          const one = yield* startSpool(disk, 1)
          count(one, 5)
          yield* Effect.sleep("11 seconds")
          count(one, 3)
          yield* Effect.sleep("2 seconds")
          const two = yield* startSpool(disk, 2)
          yield* Effect.sleep("1 second")
          receiver.commit(yield* deliverAll(two), isBilledFirst)
          count(one, 4)
          yield* Effect.sleep(overlapMs)
          yield* one.spool.flush
          yield* one.end
          yield* two.end
          receiver.newLife()
          const left = disk.crash({ kind: "process", seed: 0 })
          const three = yield* startSpool(left, 3)
          yield* Effect.sleep("1 second")
          receiver.commit(yield* deliverAll(three), isBilledFirst)
          yield* Effect.sleep("1 second")
          assert.strictEqual(receiver.ofEpoch(uuidOf(epochBytes(1))).apiCalls, 12, `${overlapMs} ms`)
          assert.deepStrictEqual(
            left.hand.list(spoolFolder).filter((name) => name.startsWith(uuidOf(epochBytes(1)))),
            []
          )
        }
      })
    )
  )
})
