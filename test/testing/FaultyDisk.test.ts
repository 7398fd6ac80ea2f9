import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { Disk, replaceFile } from "../../src/services/Disk.ts"
import { type Faulty, faulty } from "../../src/testing/FaultyDisk.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { bytesOf, diskConformance } from "../conformance/disk.ts"
import { temporaryFolder } from "../support/folder.ts"

diskConformance(
  "FaultyDisk over NodeDisk, without faults",
  Effect.gen(function* () {
    return { disk: faulty(yield* Disk, { faultOf: () => undefined }), folder: yield* temporaryFolder }
  }).pipe(Effect.provide(NodeDisk.layer))
)

const path = join("/", "a")

/** Replaces a file, in the way of these faults; what comes of the call, and of the file. */
const replaceUnder = Effect.fnUntraced(function* (options: Faulty) {
  const { disk, hand } = VirtualDisk.make()
  yield* replaceFile(disk, { path, bytes: bytesOf("old"), mode: 0o600 })
  const fiber = yield* replaceFile(faulty(disk, options), { path, bytes: bytesOf("new"), mode: 0o600 }).pipe(
    Effect.exit,
    Effect.forkChild({ startImmediately: true })
  )
  const text = (at: string) => new TextDecoder().decode(hand.read(at))
  return { fiber, text }
})

describe("FaultyDisk", () => {
  it.effect("fails, loses and hangs as a virtual disk does, with the part of a write that is asked for", () =>
    Effect.gen(function* () {
      const onWrite =
        (fault: VirtualDisk.DiskFault): VirtualDisk.FaultPlan =>
        ({ operation }) =>
          operation === "write" ? fault : undefined
      const full: VirtualDisk.DiskFault = { _tag: "Fails", code: "ENOSPC", part: 0.4 }
      // Without removals, so that the part is there to be looked at.
      const failed = yield* replaceUnder({
        faultOf: (call) => (call.operation === "remove" ? { _tag: "Fails", code: "EROFS" } : onWrite(full)(call))
      })
      assert.isTrue(Exit.isFailure(yield* Fiber.join(failed.fiber)))
      assert.deepStrictEqual([failed.text(path), failed.text(`${path}.new`)], ["old", "n"])
      const lost = yield* replaceUnder({ faultOf: onWrite({ _tag: "Loses", part: 0.7 }) })
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(lost.fiber)))
      assert.strictEqual(lost.text(path), "ne")
      let hangs = 0
      const hung = yield* replaceUnder({
        faultOf: onWrite({ _tag: "Hangs", part: 0.7 }),
        atHang: () => {
          hangs++
        }
      })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([hangs, hung.text(path), hung.text(`${path}.new`)], [1, "old", "ne"])
      yield* Fiber.interrupt(hung.fiber)
    })
  )

  it.effect("does other calls wholly or not at all, and slow ones later", () =>
    Effect.gen(function* () {
      const onRename =
        (fault: VirtualDisk.DiskFault): VirtualDisk.FaultPlan =>
        ({ operation }) =>
          operation === "rename" ? fault : undefined
      for (const [part, text] of [
        [0, "old"],
        [0.5, "old"],
        [1, "new"]
      ] as const) {
        const hung = yield* replaceUnder({ faultOf: onRename({ _tag: "Hangs", part }) })
        assert.strictEqual(hung.text(path), text)
        yield* Fiber.interrupt(hung.fiber)
      }
      const slow = yield* replaceUnder({ faultOf: onRename({ _tag: "Slow", ms: 1000 }) })
      yield* TestClock.adjust(999)
      assert.strictEqual(slow.text(path), "old")
      yield* TestClock.adjust(1)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(slow.fiber)))
      assert.strictEqual(slow.text(path), "new")
    })
  )

  it.effect("numbers calls from one, and names them", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const { fiber } = yield* replaceUnder({
        faultOf: (call) => {
          calls.push(`${call.n} ${call.operation} ${call.path}`)
          return undefined
        }
      })
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(calls, [
        "1 makeFolder /",
        "2 create /a.new",
        "3 write /a.new",
        "4 sync /a.new",
        "5 close /a.new",
        "6 rename /a.new",
        "7 syncFolder /"
      ])
    })
  )
})
