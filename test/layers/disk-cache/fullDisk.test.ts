/** A full disk costs the cache and nothing else (`docs/life-of-a-node.md`, "The cache"): no room, no time of the request path. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import type { DiskOperation } from "../../../src/services/Disk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { fileIn, quickCompression, startCache } from "../../support/diskCache.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const former = snapshotOf(table("/a"), "a".repeat(32))
const next = snapshotOf(table("/b"), "b".repeat(32))
const current = fileIn("/p")

const failing =
  (...operations: ReadonlyArray<DiskOperation>): VirtualDisk.FaultPlan =>
  ({ operation }) =>
    operations.includes(operation) ? { _tag: "Fails", code: operation === "remove" ? "EROFS" : "EIO" } : undefined

const withFormer = Effect.gen(function* () {
  const disk = VirtualDisk.make()
  const cache = yield* startCache("/p", {}, disk.layer, quickCompression)
  yield* cache.write(former)
  return { disk, cache, usedBytes: disk.usedBytes() }
})

describe("a write that the disk has no room for", () => {
  it.effect("leaves nothing of itself behind", () =>
    Effect.gen(function* () {
      const { disk, cache, usedBytes } = yield* withFormer
      disk.become({ capacityBytes: usedBytes + 100 })
      yield* Effect.flip(cache.write(next))
      assert.strictEqual(disk.usedBytes(), usedBytes)
      assert.deepEqual(disk.hand.paths(), [current])
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("leaves nothing when the flush or the rename fails either", () =>
    Effect.gen(function* () {
      for (const operation of ["sync", "rename"] as const) {
        const { disk, cache } = yield* withFormer
        disk.become({ faultOf: failing(operation) })
        assert.strictEqual((yield* Effect.flip(cache.write(next))).code, "EIO")
        assert.notInclude(disk.hand.paths(), `${current}.new`, operation)
      }
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("says why it failed, and not that nothing can be taken away either", () =>
    Effect.gen(function* () {
      const { disk, cache } = yield* withFormer
      disk.become({ faultOf: failing("write", "remove") })
      assert.strictEqual((yield* Effect.flip(cache.write(next))).code, "EIO")
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("leaves nothing of an older configuration that would have to be copied", () =>
    Effect.gen(function* () {
      const { disk, cache, usedBytes } = yield* withFormer
      const room = Math.floor(usedBytes / 2)
      // The new file has room, the copy of the former one has not: no file system without links would.
      disk.become({ capacityBytes: usedBytes * 2 + room, faultOf: failing("link") })
      yield* cache.write(next)
      const left = disk.hand.paths().filter((path) => path !== current)
      assert.deepEqual(left, [])
    }).pipe(Effect.provide(Logger.layer([])))
  )
})
