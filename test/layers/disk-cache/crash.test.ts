/**
 * The process dies, the power fails or a call fails at every single call to the disk that writing and falling back make:
 * after the restart the node serves the old or the new configuration, never neither, never older than what was last
 * persisted (the faults "crash between load and persist" and "torn, zero, truncated cache").
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import type { Row } from "../../../src/model/Entity.ts"
import type { WritableRung } from "../../../src/services/ConfigCache.ts"
import type { DiskOperation } from "../../../src/services/Disk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { goThrough } from "../../conformance/rung.ts"
import { cases } from "../../support/cases.ts"
import { contentOf, fileIn, quickCompression, startCache } from "../../support/diskCache.ts"
import { eventsInto, type LoggedEvent } from "../../support/logged.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const prefix = "/prefix"
const generationsMax = 2
const generations = `${prefix}/generations`
const quarantine = `${prefix}/quarantine`
const torn = new Uint8Array([0, 9, 9])

const start = (disk: VirtualDisk.VirtualDisk) =>
  startCache(prefix, { config_cache_generations: String(generationsMax) }, disk.layer, quickCompression)

const write = (cache: WritableRung, version: number) => cache.write(snapshotOf(table(`/${version}`)))

const versionOf = (bytes: Uint8Array | undefined): number => {
  const { routes } = bytes === undefined ? {} : contentOf(bytes)
  return Number(String((routes as ReadonlyArray<Row> | undefined)?.[0]?.paths).slice(1))
}

/** Which version serves after a start; 0 for none. */
const serve = (disk: VirtualDisk.VirtualDisk) =>
  Effect.gen(function* () {
    const { serves } = yield* goThrough(yield* start(disk), () => true)
    return serves === undefined ? 0 : Number(serves.slice(1))
  })

const isBounded = (disk: VirtualDisk.VirtualDisk) => {
  const count = disk.hand.list(generations).filter((name) => name.endsWith(".json.gz")).length
  assert.isAtMost(count, generationsMax)
}

const versionsOn = (versions: number) =>
  Effect.gen(function* () {
    const disk = VirtualDisk.make()
    const cache = yield* start(disk)
    for (let version = 1; version <= versions; version++) yield* write(cache, version)
    return disk
  })

/** Runs until it hangs at the call that the plan names. */
const runUntilStuck = Effect.fnUntraced(function* <A, E>(
  disk: VirtualDisk.VirtualDisk,
  at: number,
  part: number,
  work: Effect.Effect<A, E>
) {
  let isStuck = false
  const before = disk.callCount()
  disk.become({
    faultOf: ({ n }) => {
      if (n - before !== at) return undefined
      isStuck = true
      return { _tag: "Hangs", part }
    }
  })
  const fiber = yield* Effect.forkChild(Effect.exit(work), { startImmediately: true })
  while (!isStuck && fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
  assert.isTrue(isStuck, `call ${at} is made`)
  return fiber
})

/** Which calls the work makes when nothing is in its way. */
const callsOf = Effect.fnUntraced(function* <A, E>(disk: VirtualDisk.VirtualDisk, work: Effect.Effect<A, E>) {
  const operations: Array<DiskOperation> = []
  disk.become({ faultOf: ({ operation }) => void operations.push(operation) })
  yield* work
  return operations
})

const ends: ReadonlyArray<VirtualDisk.Crash> = [
  { kind: "process", seed: 0 },
  ...Array.from(
    { length: Math.ceil((cases().numRuns ?? 200) / 100) },
    (_, n) => ({ kind: "power", seed: (cases().seed ?? 1) + n }) as const
  )
]

/** Ends the work at each of its calls: before it, after it, in the middle of a write. Each end is handed to `check`. */
const atEveryCall = Effect.fnUntraced(function* (
  prepare: Effect.Effect<VirtualDisk.VirtualDisk, unknown>,
  work: (disk: VirtualDisk.VirtualDisk) => Effect.Effect<unknown, unknown>,
  check: (disk: VirtualDisk.VirtualDisk, where: string) => Effect.Effect<void, unknown>
) {
  const dry = yield* prepare
  const operations = yield* callsOf(dry, work(dry))
  for (const [index, operation] of operations.entries()) {
    for (const part of operation === "write" ? [0, 0.5, 1] : [0, 1]) {
      const disk = yield* prepare
      const fiber = yield* runUntilStuck(disk, index + 1, part, work(disk))
      const where = `call ${index + 1} of ${operations.length}, ${operation}, ${part} done`
      for (const crash of ends) yield* check(disk.crash(crash), `${crash.kind} ${crash.seed} at ${where}`)
      yield* Fiber.join(fiber)
    }
  }
  return operations.length
})

const quietly = <A, E>(test: Effect.Effect<A, E>) => test.pipe(Effect.provide(Logger.layer([])), Effect.asVoid)

describe("a crash at every call to the disk", () => {
  for (const versions of [0, 1, 2, 3, 4]) {
    it.effect(`while version ${versions + 1} is written over ${versions}: the old or the new one`, () =>
      quietly(
        Effect.gen(function* () {
          const calls = yield* atEveryCall(
            versionsOn(versions),
            (disk) =>
              Effect.flatMap(start(disk), (cache) =>
                Effect.andThen(
                  goThrough(cache, () => true),
                  write(cache, versions + 1)
                )
              ),
            (disk, where) =>
              Effect.gen(function* () {
                const found = yield* serve(disk)
                assert.include([versions, versions + 1], found, where)
                isBounded(disk)
                // What serves is announced, and must last from then on.
                const next = disk.crash({ kind: "power", seed: cases().seed ?? 1 })
                assert.strictEqual(yield* serve(next), found, `${where}, and again`)
                yield* write(yield* start(next), 9)
                assert.strictEqual(yield* serve(next), 9, where)
                isBounded(next)
              })
          )
          assert.isAtLeast(calls, 10)
        })
      )
    )
  }

  it.effect("after a write that succeeded: never anything older", () =>
    quietly(
      Effect.gen(function* () {
        const disk = yield* versionsOn(4)
        for (const crash of ends) assert.strictEqual(yield* serve(disk.crash(crash)), 4, `${crash.kind} ${crash.seed}`)
      })
    )
  )

  it.effect(
    "between the rename and its flush: what serves after the restart is announced, and lasts from then on",
    () =>
      quietly(
        Effect.gen(function* () {
          for (let seed = 0; seed < 20; seed++) {
            const disk = yield* versionsOn(1)
            const cache = yield* start(disk)
            yield* goThrough(cache, () => true)
            disk.become({
              faultOf: ({ operation, path }) =>
                operation === "syncFolder" && path === prefix ? { _tag: "Hangs", part: 0 } : undefined
            })
            const fiber = yield* Effect.forkChild(Effect.exit(write(cache, 2)), { startImmediately: true })
            while (versionOf(disk.hand.read(fileIn(prefix))) !== 2) yield* Effect.yieldNow
            const after = disk.crash({ kind: "process", seed })
            assert.strictEqual(yield* serve(after), 2)
            assert.strictEqual(yield* serve(after.crash({ kind: "power", seed })), 2, `seed ${seed}`)
            yield* Fiber.join(fiber)
          }
        })
      )
  )

  for (const damaged of [0, 1]) {
    it.effect(`while the node falls back over ${damaged + 1} damaged files: the newest good one, every time`, () =>
      quietly(
        Effect.gen(function* () {
          const newestGood = 4 - damaged - 1
          const prepare = Effect.gen(function* () {
            const disk = yield* versionsOn(4)
            disk.hand.write(fileIn(prefix), torn)
            for (const name of disk.hand.list(generations).toSorted().reverse().slice(0, damaged))
              disk.hand.write(`${generations}/${name}`, new Uint8Array([31, 139]))
            return disk
          })
          const calls = yield* atEveryCall(prepare, serve, (disk, where) =>
            Effect.gen(function* () {
              const inQuarantine = disk.hand.list(quarantine).map((name) => disk.hand.read(`${quarantine}/${name}`))
              const left = [disk.hand.read(fileIn(prefix)), ...inQuarantine].map((bytes) => String(bytes))
              assert.include(left, String(torn), `${where}: a person may want to look at it`)
              assert.strictEqual(yield* serve(disk), newestGood, where)
              assert.isDefined(disk.hand.read(fileIn(prefix)), where)
              assert.strictEqual(yield* serve(disk), newestGood, `${where}, and again`)
              isBounded(disk)
            })
          )
          assert.isAtLeast(calls, 10)
        })
      )
    )
  }

  it.effect("while nothing is good: nothing serves, and nothing is in the way of what comes", () =>
    quietly(
      Effect.gen(function* () {
        const prepare = Effect.gen(function* () {
          const disk = yield* versionsOn(3)
          for (const path of [fileIn(prefix), ...disk.hand.list(generations).map((name) => `${generations}/${name}`)])
            disk.hand.flipBit(path, 0.5)
          return disk
        })
        yield* atEveryCall(prepare, serve, (disk, where) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* serve(disk), 0, where)
            yield* write(yield* start(disk), 9)
            assert.strictEqual(yield* serve(disk), 9, where)
          })
        )
      })
    )
  )
})

describe("a call that fails, whichever", () => {
  const codes = ["EIO", "ENOSPC", "EROFS"]

  it.effect("costs a write at most that write: the former or the new file stands, and the next try works", () => {
    const events: Array<LoggedEvent> = []
    return Effect.asVoid(
      Effect.gen(function* () {
        for (const [code, isRetried] of codes.flatMap((each) => [[each, true] as const, [each, false] as const])) {
          for (let at = 1; ; at++) {
            const disk = yield* versionsOn(4)
            const cache = yield* start(disk)
            yield* goThrough(cache, () => true)
            events.length = 0
            const before = disk.callCount()
            disk.become({ faultOf: ({ n }) => (n - before === at ? { _tag: "Fails", code, part: 0.5 } : undefined) })
            const result = yield* Effect.result(write(cache, 5))
            const isOver = disk.callCount() - before < at
            disk.become({})
            const where = `${code} at call ${at}`
            if (result._tag === "Failure") assert.deepInclude(result.failure, { operation: "write", code }, where)
            isBounded(disk)
            if (isRetried) yield* write(cache, 5)
            const after = disk.crash({ kind: "power", seed: at })
            assert.include(result._tag === "Failure" && !isRetried ? [4, 5] : [5], yield* serve(after), where)
            if (isRetried) {
              after.hand.write(fileIn(prefix), new Uint8Array([1]))
              const kept = yield* serve(after)
              const isTold = events.some(({ message }) => message.startsWith("the former configuration can't be kept"))
              assert.include(isTold ? [3, 4] : [4], kept, `${where}: what was before it is kept, or that is told`)
              assert.isFalse(isTold && result._tag === "Failure", where)
            }
            if (isOver) break
          }
        }
      }).pipe(Effect.provide(Logger.layer([eventsInto(events)])))
    )
  })

  it.effect("does not keep an older configuration from serving", () =>
    quietly(
      Effect.gen(function* () {
        for (const code of codes) {
          for (let at = 2; ; at++) {
            const disk = yield* versionsOn(4)
            disk.hand.write(fileIn(prefix), new Uint8Array([0]))
            const before = disk.callCount()
            const reads: Array<string> = []
            disk.become({
              faultOf: ({ n, operation, path }) => {
                if (n - before !== at) return undefined
                if (operation === "read" || operation === "list") reads.push(path)
                return { _tag: "Fails", code }
              }
            })
            const served = yield* serve(disk)
            const isOver = disk.callCount() - before < at
            disk.become({})
            // A generation that can't be read here and now is passed over; one that can't be listed is none.
            if (reads.length === 0) assert.strictEqual(served, 3, `${code} at call ${at}`)
            const after = disk.crash({ kind: "process", seed: 0 })
            assert.include([3, served], yield* serve(after), `${code} at call ${at}`)
            if (isOver) break
          }
        }
      })
    )
  )

  it.effect(
    "again and again, loses nothing of what is kept: a full disk, a read-only one, one that fails to flush",
    () =>
      quietly(
        Effect.gen(function* () {
          const conditions: ReadonlyArray<VirtualDisk.DiskConditions> = [
            { capacityBytes: 0 },
            { isReadOnly: true },
            { faultOf: ({ operation }) => (operation === "syncFolder" ? { _tag: "Fails", code: "EIO" } : undefined) },
            { faultOf: ({ operation }) => (operation === "rename" ? { _tag: "Fails", code: "EIO" } : undefined) }
          ]
          for (const condition of conditions) {
            const disk = yield* versionsOn(4)
            const cache = yield* start(disk)
            yield* goThrough(cache, () => true)
            disk.become(condition)
            for (let n = 0; n < 10; n++) yield* Effect.ignore(write(cache, 5))
            disk.become({})
            yield* write(cache, 5)
            assert.strictEqual(yield* serve(disk), 5)
            for (const expected of [4, 3]) {
              disk.hand.write(fileIn(prefix), new Uint8Array([expected]))
              assert.strictEqual(yield* serve(disk), expected)
            }
          }
        })
      )
  )

  it.effect("that can't be read now is no reason to forget: what is behind a refused file serves once it can", () =>
    quietly(
      Effect.gen(function* () {
        const disk = yield* versionsOn(3)
        disk.hand.write(fileIn(prefix), torn)
        disk.become({
          faultOf: ({ operation, path }) =>
            operation === "read" && path.startsWith(generations) ? { _tag: "Fails", code: "EIO" } : undefined
        })
        assert.strictEqual(yield* serve(disk), 0)
        assert.deepEqual(disk.hand.read(fileIn(prefix)), torn)
        disk.become({})
        assert.strictEqual(yield* serve(disk), 2)
      })
    )
  )

  it.effect("for want of hard links costs nothing: what needs a second name is copied", () =>
    quietly(
      Effect.gen(function* () {
        const withoutLinks: VirtualDisk.DiskConditions = {
          faultOf: ({ operation }) => (operation === "link" ? { _tag: "Fails", code: "EPERM" } : undefined)
        }
        const disk = VirtualDisk.make()
        disk.become(withoutLinks)
        const cache = yield* start(disk)
        for (const version of [1, 2, 3]) yield* write(cache, version)
        disk.hand.write(fileIn(prefix), torn)
        assert.strictEqual(yield* serve(disk), 2)
        assert.strictEqual(versionOf(disk.hand.read(fileIn(prefix))), 2)
        assert.isTrue(
          disk.hand.list(quarantine).some((name) => String(disk.hand.read(`${quarantine}/${name}`)) === String(torn))
        )
      })
    )
  )

  it.effect("while there are more older ones than there shall be leaves the newest of them", () =>
    quietly(
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        const many = yield* startCache(prefix, { config_cache_generations: "9" }, disk.layer, quickCompression)
        for (let version = 1; version <= 8; version++) yield* write(many, version)
        const cache = yield* start(disk)
        yield* goThrough(cache, () => true)
        let removals = 0
        disk.become({
          faultOf: ({ operation }) =>
            operation === "remove" && ++removals > 2 ? { _tag: "Fails", code: "EIO" } : undefined
        })
        yield* write(cache, 9)
        const left = disk.hand.list(generations).map((name) => versionOf(disk.hand.read(`${generations}/${name}`)))
        assert.deepEqual(left.toSorted(), [3, 4, 5, 6, 7])
      })
    )
  )
})
