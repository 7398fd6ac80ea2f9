/** An acknowledgement that arrives while the next records are on their way into the same file takes only what it is about. */
import { assert, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import type { TelemetryRecord } from "../../../src/model/telemetry/TelemetryRecord.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { compiledRoute, finished } from "../../support/requests.ts"
import { isAnalytics, isBilling, requestsIn, startSpool, sum } from "../../support/telemetrySpool.ts"

const route = compiledRoute(1, 1)

const acknowledged = (records: ReadonlyArray<TelemetryRecord>) =>
  records.map(({ epoch, lane, sequence }) => ({ epoch, lane, sequence }))

/** Two windows on a slow disk; the first one is acknowledged so long after the second one began. */
const offeredAfter = (delayMs: number) =>
  runVirtual(
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const { spool, counters, end } = yield* startSpool(disk, 1, { analytics_flush_interval: 1 })
      counters.record(finished({ compiled: route }))
      const first = yield* spool.take(100_000)
      disk.become({ slowMs: 70 })
      for (let n = 0; n < 10; n++) counters.record(finished({ compiled: route }))
      yield* Effect.sleep(delayMs)
      yield* spool.acknowledge(acknowledged(first))
      yield* Effect.sleep("20 seconds")
      const second = yield* Effect.timeout(spool.take(100_000), "20 seconds")
      yield* end
      return second
    }).pipe(Effect.provide(Logger.layer([])))
  )

it("whenever it arrives, the second window is offered whole", async () => {
  for (let delayMs = 0; delayMs <= 2_500; delayMs += 20) {
    const offered = await offeredAfter(delayMs)
    assert.strictEqual(offered.filter(isBilling).at(-1)?.apiCalls, 11, `billing, after ${delayMs} ms`)
    const requests = sum(offered.filter(isAnalytics).map((record) => requestsIn(record).matched))
    assert.strictEqual(requests, 10, `analytics, after ${delayMs} ms`)
  }
})
