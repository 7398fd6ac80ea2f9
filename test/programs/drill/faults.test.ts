import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { startOfNode } from "../../../src/programs/drill/clockSkew.ts"
import { faultyClock, faultyDisk, noFaults, steer } from "../../../src/programs/drill/Faults.ts"
import { besideOf, Disk, replaceFile } from "../../../src/services/Disk.ts"
import { temporaryFolder } from "../../support/folder.ts"

describe("a steered machine", () => {
  it.effect(
    "has a wall clock that is off by what was said, a monotonic one that stood still, and timers of its own",
    () =>
      Effect.gen(function* () {
        const faults = noFaults()
        const clock = faultyClock(faults, yield* Clock.Clock)
        yield* TestClock.adjust("10 seconds")
        steer(faults, { wallErrorMs: 3_600_000, stoodStillMs: 4_000 })
        assert.strictEqual(yield* clock.currentTimeMillis, 3_610_000)
        assert.strictEqual(yield* clock.currentTimeNanos, 3_610_000_000_000n)
        assert.strictEqual(yield* clock.monotonicTimeNanos, 6_000_000_000n)
        const waiting = yield* Effect.forkChild(
          Effect.andThen(Effect.sleep("5 seconds"), Clock.currentTimeMillis).pipe(
            Effect.provideService(Clock.Clock, clock)
          ),
          { startImmediately: true }
        )
        yield* TestClock.adjust("5 seconds")
        assert.isDefined(waiting.pollUnsafe())
      })
  )

  it.live("has a full disk: half of what is written fits, and the former file stays whole", () =>
    Effect.gen(function* () {
      const faults = noFaults()
      const path = join(yield* temporaryFolder, "file")
      yield* Effect.promise(() => writeFile(path, "former"))
      const text = (name: string) => Effect.promise(() => readFile(name, "utf8"))
      yield* Effect.gen(function* () {
        const disk = yield* Disk
        const replace = replaceFile(disk, { path, bytes: Buffer.from("0123456789"), mode: 0o600 })
        steer(faults, { isDiskFull: true })
        const error = yield* Effect.flip(replace)
        assert.deepInclude(error, { operation: "write", code: "ENOSPC" })
        assert.strictEqual(yield* text(path), "former")
        const half = yield* disk.create(besideOf(path), 0o600)
        yield* Effect.flip(half.write(Buffer.from("0123456789")))
        yield* half.close
        assert.strictEqual(yield* text(besideOf(path)), "01234")
        steer(faults, { isDiskFull: false })
        yield* replace
        assert.strictEqual(yield* text(path), "0123456789")
      }).pipe(Effect.provide(faultyDisk(faults)))
    })
  )

  it("does what a message names, and nothing for one that is none", () => {
    const faults = noFaults()
    for (const message of [undefined, "full", { isDiskFull: "yes", wallErrorMs: "1" }]) steer(faults, message)
    assert.deepEqual(faults, noFaults())
  })

  it("begins at a noon between 1 and 25 hours ago, whatever the hour", () => {
    for (let hour = 0; hour < 48; hour++) {
      const nowMs = Date.UTC(2026, 10, 23, hour, 30)
      const startMs = startOfNode(nowMs)
      assert.match(new Date(startMs).toISOString(), /T12:00:00\.000Z$/)
      assert.isAtLeast(nowMs - startMs, 3_600_000)
      assert.isBelow(nowMs - startMs, 25 * 3_600_000)
    }
  })
})
