/** The cache does one thing at a time, and tells of trouble once while it lasts: `docs/life-of-a-node.md`, "The cache". */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import type { WritableRung } from "../../../src/services/ConfigCache.ts"
import type { DiskOperation } from "../../../src/services/Disk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { fileIn, quickCompression, startCache } from "../../support/diskCache.ts"
import { settle } from "../../support/live.ts"
import { eventsInto, type LoggedEvent } from "../../support/logged.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const current = fileIn("/p")
const write = (cache: WritableRung, path: string) => cache.write(snapshotOf(table(path)))
const start = (disk: VirtualDisk.VirtualDisk) => startCache("/p", {}, disk.layer, quickCompression)

/** This call on this path fails. */
const failing =
  (wanted: DiskOperation, at: string): VirtualDisk.FaultPlan =>
  ({ operation, path }) =>
    operation === wanted && path === at ? { _tag: "Fails", code: "EIO" } : undefined

const slowRename: VirtualDisk.FaultPlan = ({ operation, path }) =>
  operation === "rename" && path === `${current}.new` ? { _tag: "Slow", ms: 1_000 } : undefined

describe("a write that takes its time", () => {
  /** What is asked of the cache while one is under way waits until that is done. */
  const waits = (
    prepared: (cache: WritableRung, disk: VirtualDisk.VirtualDisk) => Effect.Effect<Effect.Effect<unknown>>
  ) =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const cache = yield* start(disk)
      yield* write(cache, "/a")
      const asked = yield* prepared(cache, disk)
      disk.become({ faultOf: slowRename })
      const writing = yield* Effect.forkChild(write(cache, "/b"), { startImmediately: true })
      const asking = yield* Effect.forkChild(asked, { startImmediately: true })
      yield* settle
      const early = [writing, asking].filter((fiber) => fiber.pollUnsafe() !== undefined)
      // Before anything is asserted: a write can't be interrupted.
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(writing)
      assert.isEmpty(early)
      return yield* Fiber.join(asking)
    }).pipe(Effect.provide(Logger.layer([])))

  it.effect("is waited for by whoever asks whose the file is", () =>
    Effect.gen(function* () {
      const state = yield* waits((cache) => Effect.succeed(cache.byHand?.state ?? assert.fail("not followed")))
      assert.strictEqual(state, "own")
    })
  )

  it.effect("is waited for by what becomes of a candidate", () =>
    waits((cache) =>
      Effect.map(cache.offer, (answer) => {
        assert(answer._tag === "Candidate")
        return answer.served
      })
    )
  )

  it.effect("is waited for by whoever goes on from a file that is of no use", () =>
    waits((cache, disk) => {
      disk.hand.write(current, new TextEncoder().encode("wrong"))
      return Effect.map(cache.offer, (answer) => {
        assert(answer._tag === "Unusable")
        return answer.next
      })
    })
  )

  it.effect("is told with the time that it took", () => {
    const events: Array<LoggedEvent> = []
    return Effect.gen(function* () {
      yield* TestClock.adjust("5 seconds")
      const disk = VirtualDisk.make()
      const cache = yield* start(disk)
      disk.become({ faultOf: slowRename })
      const writing = yield* Effect.forkChild(write(cache, "/a"), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(writing)
      const [told] = events.filter(({ message }) => message === "configuration cached")
      assert.deepInclude(told?.fields, { file: current, tookMs: 1_000 })
    }).pipe(
      Effect.provide(Logger.layer([eventsInto(events)])),
      Effect.provideService(References.MinimumLogLevel, "Debug")
    )
  })
})

describe("a former configuration that can't be kept", () => {
  it.effect("is told once while that lasts, with the reason, and again when it begins anew", () => {
    const events: Array<LoggedEvent> = []
    const told = () =>
      events
        .splice(0)
        .flatMap(({ message, fields }) =>
          message === "the former configuration can't be kept beside the new one" ? [fields] : []
        )
    return Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const cache = yield* start(disk)
      const trouble = { faultOf: failing("list", "/p/generations") }
      yield* write(cache, "/a")
      disk.become(trouble)
      yield* write(cache, "/b")
      const [first, ...more] = told()
      assert.deepInclude(first, { folder: "/p/generations" })
      assert.match(String(first?.cause), /^EIO/)
      assert.isEmpty(more)
      yield* write(cache, "/c")
      assert.isEmpty(told())
      disk.become({})
      yield* write(cache, "/d")
      assert.isEmpty(told())
      disk.become(trouble)
      yield* write(cache, "/e")
      assert.lengthOf(told(), 1)
      disk.become({})
      yield* write(cache, "/f")
      disk.become({ faultOf: failing("read", current) })
      yield* write(cache, "/g")
      assert.deepEqual(told(), [{ folder: "/p/generations", cause: "it can't be read" }])
    }).pipe(Effect.provide(Logger.layer([eventsInto(events)])))
  })
})

describe("a disk that config_sources leaves out", () => {
  it.effect("has nothing, and says why", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const given = { config_sources: "control_plane, declarative_file" }
      const cache = yield* startCache("/p", given, disk.layer, quickCompression)
      assert.strictEqual(cache.source, "disk")
      assert.deepEqual(yield* cache.offer, { _tag: "Nothing", reason: "config_sources leaves it out" })
      assert.strictEqual(disk.callCount(), 0)
    })
  )
})
