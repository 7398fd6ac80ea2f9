/**
 * The spool when the process or the machine ends, at any of its calls to the disk (faults.md, rows on telemetry): a `kill -9` costs at
 * most what was counted in one write interval, a power cut that and one flush interval; nothing is ever counted twice, and
 * no record comes with two contents.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger } from "effect"
import { uuidOf } from "../../../src/model/DeterministicId.ts"
import type { DiskOperation } from "../../../src/services/Disk.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { VirtualTime } from "../../../src/testing/VirtualTime.ts"
import { cases } from "../../support/cases.ts"
import { compiledRoute, consumerOf, finished } from "../../support/requests.ts"
import {
  epochBytes,
  makeReceiver,
  type Receiver,
  type SpoolLife,
  startSpool,
  takeAll
} from "../../support/telemetrySpool.ts"

const writeIntervalMs = 100
const flushIntervalMs = 1000
const settings = { analytics_flush_interval: 1.5 }
const lastsMs = 3_300

const routes = [1, 2, 3].map((n) => compiledRoute(n, 1))

interface Count {
  readonly atMs: number
  readonly matched: number
  readonly unmatched: number
}

/** A request every 70 ms, some of routes and consumers that were not there before, and what was counted when. */
const traffic = Effect.fnUntraced(function* ({ counters }: SpoolLife, history: Array<Count>) {
  const { nowMs } = yield* VirtualTime
  let [matched, unmatched] = [0, 0]
  for (let n = 0; nowMs() < lastsMs; n++) {
    if (n % 5 === 4) unmatched++
    else matched++
    counters.record(
      finished({
        compiled: n % 5 === 4 ? undefined : routes[Math.floor(n / 12) % 3],
        consumer: n % 3 === 0 ? consumerOf(n % 7) : undefined,
        endedAtMs: n * 3
      })
    )
    history.push({ atMs: nowMs(), matched, unmatched })
    yield* Effect.sleep("70 millis")
  }
})

/** What had been counted before that time. */
const countedBefore = (history: ReadonlyArray<Count>, atMs: number): Count =>
  history.findLast((count) => count.atMs < atMs) ?? { atMs, matched: 0, unmatched: 0 }

/** Delivers what is there now and then, and hears of it. */
const deliver = Effect.fnUntraced(function* ({ spool }: SpoolLife, receiver: Receiver) {
  for (;;) {
    yield* Effect.sleep("1700 millis")
    const batch = yield* spool.take(1e6)
    receiver.commit(batch)
    yield* spool.acknowledge(receiver.acknowledged(batch.slice(0, 3)))
  }
})

/** Lives until the call that the plan names; `undefined` when it never makes that many. */
const liveUntil = Effect.fnUntraced(function* (at: number, part: number) {
  const disk = VirtualDisk.make()
  const stuck = Deferred.makeUnsafe<DiskOperation>()
  disk.become({
    faultOf: ({ n, operation }) => {
      if (n !== at) return undefined
      Deferred.doneUnsafe(stuck, Effect.succeed(operation))
      return { _tag: "Hangs", part }
    }
  })
  const life = yield* startSpool(disk, 1, settings)
  const receiver = makeReceiver()
  const history: Array<Count> = []
  const working = yield* Effect.forkChild(
    Effect.andThen(
      Effect.raceFirst(traffic(life, history), Effect.andThen(deliver(life, receiver), Effect.never)),
      life.spool.flush
    )
  )
  const operation = yield* Effect.raceFirst(Deferred.await(stuck), Effect.as(Fiber.await(working), undefined))
  const { nowMs } = yield* VirtualTime
  yield* Fiber.interrupt(working)
  return { disk, life, receiver, history, operation, atMs: nowMs() }
})

const ends: ReadonlyArray<VirtualDisk.Crash> = [
  { kind: "process", seed: 0 },
  ...Array.from({ length: Math.ceil((cases().numRuns ?? 200) / 100) }, (_, n) => ({
    kind: "power" as const,
    seed: (cases().seed ?? 1) + n
  }))
]

const epoch = uuidOf(epochBytes(1))

/** What the next life finds of the first one. */
const found = Effect.fnUntraced(function* (disk: VirtualDisk.VirtualDisk, life: number, receiver: Receiver) {
  const next = yield* startSpool(disk, life, settings)
  receiver.newLife()
  yield* Effect.sleep("100 millis")
  receiver.commit(yield* takeAll(next.spool))
  yield* next.end
  return receiver.ofEpoch(epoch)
})

describe("the spool, cut short at any call to the disk", () => {
  it("loses no more than an interval, and counts nothing twice", { timeout: 120_000 }, async () => {
    let ended = 0
    for (let at = 1, isOver = false; !isOver; at++) {
      for (const part of [0, 0.5, 1]) {
        await runVirtual(
          Effect.gen(function* () {
            const { disk, life, receiver, history, operation, atMs } = yield* liveUntil(at, part)
            if (operation === undefined) {
              isOver = true
              return
            }
            ended++
            const now = countedBefore(history, Number.POSITIVE_INFINITY)
            for (const end of ends) {
              const where = `${end.kind} ${end.seed} at call ${at}, ${operation}, ${part} done`
              const intervalMs = writeIntervalMs + (end.kind === "power" ? flushIntervalMs : 0)
              const least = countedBefore(history, atMs - intervalMs)
              const after = disk.crash(end)
              const known = receiver.fork()
              const told = yield* found(after, 2, known)
              assert.isAtMost(told.apiCalls, now.matched, where)
              assert.isAtLeast(told.apiCalls, least.matched, where)
              assert.isAtMost(told.matched, now.matched, where)
              assert.isAtLeast(told.matched, least.matched, where)
              assert.isAtMost(told.unmatched, now.unmatched, where)
              assert.isAtLeast(told.unmatched, least.unmatched, where)
              // What was offered must not change by another end.
              const again = yield* found(after.crash({ kind: "power", seed: at }), 3, known)
              assert.deepStrictEqual(again, told, `${where}, and again`)
            }
            yield* life.end
          }).pipe(Effect.provide(Logger.layer([])))
        )
      }
    }
    assert.isAtLeast(ended, 150)
  })

  it("while a former life is adopted: the same records, whenever that was cut short", { timeout: 60_000 }, async () => {
    const left = await runVirtual(
      Effect.gen(function* () {
        // Between the last write of a window and the end of it, with a segment that was appended to before.
        const { disk, life, receiver } = yield* liveUntil(55, 1)
        yield* life.end
        return { disk: disk.crash({ kind: "process", seed: 0 }), receiver }
      }).pipe(Effect.provide(Logger.layer([])))
    )
    const expected = await runVirtual(
      Effect.provide(found(left.disk.crash({ kind: "process", seed: 0 }), 2, left.receiver.fork()), Logger.layer([]))
    )
    assert.isAbove(expected.apiCalls, 0)
    let ended = 0
    for (let at = 1, isOver = false; !isOver; at++) {
      for (const part of [0, 0.5, 1]) {
        for (const end of ends) {
          await runVirtual(
            Effect.gen(function* () {
              const disk = left.disk.crash({ kind: "process", seed: 0 })
              let isStuck = false
              disk.become({
                faultOf: ({ n }) => {
                  if (n !== at) return undefined
                  isStuck = true
                  return { _tag: "Hangs", part }
                }
              })
              const receiver = left.receiver.fork()
              const second = yield* startSpool(disk, 2, settings)
              yield* Effect.sleep("100 millis")
              receiver.newLife()
              receiver.commit(yield* takeAll(second.spool))
              if (!isStuck) {
                isOver = true
                return
              }
              ended++
              const told = yield* found(disk.crash(end), 3, receiver)
              const where = `${end.kind} ${end.seed} at call ${at}, ${part} done`
              // A power cut after a kill costs what the killed one had not flushed, unless it was offered meanwhile.
              if (end.kind === "process") assert.deepStrictEqual(told, expected, where)
              assert.isAtMost(told.apiCalls, expected.apiCalls, where)
              assert.isAtMost(told.matched, expected.matched, where)
              yield* second.end
            }).pipe(Effect.provide(Logger.layer([])))
          )
        }
      }
    }
    assert.isAtLeast(ended, 30)
  })
})

it("a kill -9 costs no more where a file that had to make room could not be removed at once", () =>
  runVirtual(
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const many = Array.from({ length: 60 }, (_, n) => compiledRoute(n, 1))
      const former = yield* startSpool(disk, 1, { analytics_flush_interval: 60 })
      for (const compiled of many) former.counters.record(finished({ compiled }))
      yield* former.spool.flush
      yield* former.end
      const after = disk.crash({ kind: "process", seed: 0 })
      const life = yield* startSpool(after, 2, {
        analytics_flush_interval: 60,
        telemetry_spool_max_bytes: after.usedBytes() + 600
      })
      yield* Effect.sleep("1 second")
      let failures = 0
      after.become({
        faultOf: ({ operation, path }) =>
          operation === "remove" && path.includes("analytics") && failures++ === 0
            ? { _tag: "Fails", code: "EIO" }
            : undefined
      })
      for (const compiled of many.slice(0, 5)) {
        life.counters.record(finished({ compiled }))
        yield* Effect.sleep("3 seconds")
      }
      assert.isAbove(failures, 0)
      yield* life.end
      const last = yield* startSpool(after.crash({ kind: "process", seed: 0 }), 3)
      yield* Effect.sleep("1 second")
      const receiver = makeReceiver()
      receiver.commit(yield* takeAll(last.spool))
      assert.deepInclude(receiver.ofEpoch(uuidOf(epochBytes(2))), { apiCalls: 5, matched: 5 })
    }).pipe(Effect.provide(Logger.layer([])))
  ))

it("a window whose end is written again and again, for a segment can't be made, counts once after a kill -9", () =>
  runVirtual(
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const life = yield* startSpool(disk, 1, { analytics_flush_interval: 1 })
      life.counters.record(finished({ compiled: routes[0] }))
      yield* Effect.sleep("950 millis")
      disk.become({
        faultOf: ({ operation, path }) =>
          operation === "create" && !path.includes("open") ? { _tag: "Fails", code: "EIO" } : undefined
      })
      for (let n = 0; n < 3; n++) life.counters.record(finished({ compiled: routes[0] }))
      yield* Effect.sleep("20 seconds")
      yield* life.end
      const next = yield* startSpool(disk.crash({ kind: "process", seed: 0 }), 2)
      yield* Effect.sleep("1 second")
      const receiver = makeReceiver()
      receiver.commit(yield* takeAll(next.spool))
      assert.deepInclude(receiver.ofEpoch(uuidOf(epochBytes(1))), { apiCalls: 4, matched: 4 })
    }).pipe(Effect.provide(Logger.layer([])))
  ))
