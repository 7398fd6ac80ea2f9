/** What can't be read now is read later, and nothing of it is lost meanwhile (`docs/telemetry.md`, "When the disk fails"). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { uuidOf } from "../../../src/model/DeterministicId.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { compiledRoute, finished } from "../../support/requests.ts"
import {
  epochBytes,
  isAnalytics,
  isBilling,
  quietly,
  requestsIn,
  type SpoolLife,
  startSpool,
  sum,
  takeAll
} from "../../support/telemetrySpool.ts"

const route = compiledRoute(1, 1)

const count = ({ counters }: SpoolLife, n: number) => {
  for (let at = 0; at < n; at++) counters.record(finished({ compiled: route }))
}

/** The disk as a life leaves it that served so many. */
const leftBehind = Effect.fnUntraced(function* (n: number) {
  const disk = VirtualDisk.make()
  const life = yield* startSpool(disk, 1)
  count(life, n)
  yield* life.spool.flush
  yield* life.end
  return disk.crash({ kind: "process", seed: 0 })
})

const readsFail =
  (code: string): VirtualDisk.FaultPlan =>
  ({ operation }) =>
    operation === "read" ? { _tag: "Fails", code } : undefined

const ofFormerLife = uuidOf(epochBytes(1))

describe("a spool that can't read what it keeps", () => {
  it(
    "for want of descriptors or memory, for however long, delivers all of it afterwards",
    quietly(
      Effect.gen(function* () {
        for (const code of ["EMFILE", "ENFILE", "ENOMEM"]) {
          const disk = yield* leftBehind(7)
          const life = yield* startSpool(disk, 2, { analytics_flush_interval: 1 })
          yield* Effect.sleep("1 second")
          disk.become({ faultOf: readsFail(code) })
          for (let n = 0; n < 60; n++) {
            count(life, 1)
            yield* takeAll(life.spool)
          }
          disk.become({})
          yield* Effect.sleep("15 seconds")
          const records = (yield* takeAll(life.spool)).filter(({ epoch }) => epoch === ofFormerLife)
          assert.strictEqual(records.filter(isBilling).at(-1)?.apiCalls, 7, code)
          assert.strictEqual(sum(records.filter(isAnalytics).map((record) => requestsIn(record).matched)), 7, code)
          assert.deepStrictEqual(life.spool.facts().dropped, { records: 0, requests: 0 }, code)
          yield* life.end
        }
      })
    )
  )

  it(
    "because the disk fails again and again gives it up in this life, and has it in the next one",
    quietly(
      Effect.gen(function* () {
        const disk = yield* leftBehind(7)
        const life = yield* startSpool(disk, 2)
        yield* Effect.sleep("1 second")
        disk.become({ faultOf: readsFail("EIO") })
        for (let n = 0; n < 60; n++) yield* takeAll(life.spool)
        assert.strictEqual(life.spool.facts().dropped.requests, 7)
        yield* life.end
        const next = yield* startSpool(disk.crash({ kind: "process", seed: 0 }), 3)
        yield* Effect.sleep("1 second")
        const records = (yield* takeAll(next.spool)).filter(({ epoch }) => epoch === ofFormerLife)
        assert.strictEqual(records.filter(isBilling).at(-1)?.apiCalls, 7)
      })
    )
  )

  it(
    "once, tries again though nothing is counted meanwhile",
    quietly(
      Effect.gen(function* () {
        const disk = yield* leftBehind(7)
        const { spool } = yield* startSpool(disk, 2)
        yield* Effect.sleep("1 second")
        let failures = 0
        disk.become({
          faultOf: ({ operation }) =>
            operation === "read" && failures++ < 2 ? { _tag: "Fails", code: "EIO" } : undefined
        })
        const waiting = yield* Effect.forkChild(spool.take(1e6), { startImmediately: true })
        yield* Effect.sleep("1 minute")
        assert.isDefined(waiting.pollUnsafe())
        assert.isAbove((yield* Fiber.join(waiting)).length, 0)
      })
    )
  )

  it(
    "because the disk is silent has it when the disk answers again, though nothing is counted meanwhile",
    quietly(
      Effect.gen(function* () {
        const disk = yield* leftBehind(7)
        const { spool } = yield* startSpool(disk, 2)
        yield* Effect.sleep("1 second")
        disk.become({ isStuck: true })
        const waiting = yield* Effect.forkChild(spool.take(1e6), { startImmediately: true })
        yield* Effect.sleep("1 minute")
        assert.isUndefined(waiting.pollUnsafe())
        disk.become({})
        yield* Effect.sleep("1 minute")
        assert.isDefined(waiting.pollUnsafe())
        assert.isAbove((yield* Fiber.join(waiting)).length, 0)
      })
    )
  )

  it(
    "while it is written to, takes what was not there yet for nothing that is lost",
    quietly(
      Effect.gen(function* () {
        for (let delayMs = 0; delayMs < 1_500; delayMs += 25) {
          const disk = VirtualDisk.make()
          const late = (path: string, maxBytes: number) =>
            Effect.tap(disk.disk.read(path, maxBytes), () => Effect.sleep("100 millis"))
          const life = yield* startSpool({ ...disk, disk: { ...disk.disk, read: late } }, 1, {
            analytics_flush_interval: 1
          })
          count(life, 1)
          yield* Effect.sleep("3 seconds")
          count(life, 1)
          yield* Effect.sleep(delayMs)
          yield* life.spool.take(1e6)
          yield* Effect.sleep("3 seconds")
          assert.deepStrictEqual(life.spool.facts().dropped, { records: 0, requests: 0 }, `after ${delayMs} ms`)
          yield* life.end
        }
      })
    )
  )
})
