/** A full disk costs the cache and nothing else (`docs/life-of-a-node.md`, "The cache"): no room, no time of the request path. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { decodeTable } from "../../../src/model/ConfigTable.ts"
import type { Snapshot } from "../../../src/model/Snapshot.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { decodeReconfigure } from "../../../src/model/Wire.ts"
import { CacheProtection } from "../../../src/services/CacheProtection.ts"
import type { WritableRung } from "../../../src/services/ConfigCache.ts"
import { ConfigCodec } from "../../../src/services/ConfigCodec.ts"
import type { DiskOperation } from "../../../src/services/Disk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { contentOf, fileIn, quickCompression, startCache } from "../../support/diskCache.ts"
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

describe("a refused file that the disk has no room for", () => {
  it.effect("leaves no reasons in quarantine without it, and those of others alone", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const { byHand = assert.fail("nobody changes it") } = yield* startCache("/p", {}, disk.layer, quickCompression)
      const refuse = Effect.gen(function* () {
        const answer = yield* byHand.offer
        assert(answer._tag === "Unusable")
        yield* answer.next
      })
      disk.hand.write(current, new TextEncoder().encode("wrong"))
      yield* refuse
      const inQuarantine = disk.hand.list("/p/quarantine").toSorted()
      assert.lengthOf(inQuarantine, 2)
      disk.become({ faultOf: failing("rename") })
      yield* refuse
      assert.deepEqual(disk.hand.list("/p/quarantine").toSorted(), inQuarantine)
      disk.hand.write(current, new TextEncoder().encode("wrong as well"))
      disk.become({
        faultOf: ({ operation, path }) =>
          operation === "rename" && !path.includes(".reason") ? { _tag: "Fails", code: "ENOSPC" } : undefined
      })
      yield* refuse
      assert.deepEqual(disk.hand.list("/p/quarantine").toSorted(), inQuarantine)
    }).pipe(Effect.provide(Logger.layer([])))
  )
})

interface Counted {
  readonly disk: VirtualDisk.VirtualDisk
  readonly cache: WritableRung
  /** How often a text was made. */
  readonly described: () => number
}

/** A cache that counts the texts that are made for it; `trouble` may throw instead. */
const withCount = <E>(
  test: (counted: Counted) => Effect.Effect<void, E>,
  trouble: (described: number) => void = () => {}
) => {
  let described = 0
  const codec: ConfigCodec = {
    decodeReconfigure,
    decodeTable,
    describeTable: (raw) => {
      described++
      trouble(described)
      return describeTable(raw)
    }
  }
  return Effect.gen(function* () {
    const disk = VirtualDisk.make()
    const cache = yield* startCache("/p", {}, disk.layer, quickCompression)
    yield* test({ disk, cache, described: () => described })
  }).pipe(Effect.provide(Logger.layer([])), Effect.provideService(ConfigCodec, codec))
}

const failOften = Effect.fnUntraced(function* (cache: WritableRung, snapshot: Snapshot) {
  for (let tried = 0; tried < 5; tried++) yield* Effect.flip(cache.write(snapshot))
})

describe("the text of a write: a second for a large table, on the request thread", () => {
  it.effect("is made once, however often the write is tried", () =>
    withCount(({ disk, cache, described }) =>
      Effect.gen(function* () {
        disk.become({ capacityBytes: 0 })
        yield* failOften(cache, next)
        assert.strictEqual(described(), 1)
        disk.become({})
        yield* cache.write(next)
        assert.strictEqual(described(), 1)
        assert.deepInclude(contentOf(disk.hand.read(current) ?? assert.fail("not written")), next.raw)
      })
    )
  )

  it.effect("is kept of one configuration alone, the newest, and is never another one's", () =>
    withCount(({ disk, cache, described }) =>
      Effect.gen(function* () {
        disk.become({ capacityBytes: 0 })
        yield* failOften(cache, former)
        yield* failOften(cache, next)
        assert.strictEqual(described(), 2)
        yield* failOften(cache, former)
        assert.strictEqual(described(), 3)
        disk.become({})
        yield* cache.write({ ...former, source: "peer" })
        assert.strictEqual(described(), 4)
        const { _holdfast } = contentOf(disk.hand.read(current) ?? assert.fail("not written"))
        assert.deepInclude(_holdfast, { source: "peer" })
      })
    )
  )

  it.effect("is not tried again where it can't be made", () =>
    withCount(
      ({ cache, described }) =>
        Effect.gen(function* () {
          yield* failOften(cache, next)
          const { message, code } = yield* Effect.flip(cache.write(next))
          assert.deepEqual([described(), code], [1, undefined])
          assert.match(message, /^can't be processed \(too deep\)$/)
        }),
      () => {
        throw new Error("too deep")
      }
    )
  )

  it.effect("is tried again where memory was short", () =>
    withCount(
      ({ disk, cache, described }) =>
        Effect.gen(function* () {
          const { code } = yield* Effect.flip(cache.write(next))
          assert.strictEqual(code, "ENOMEM")
          yield* cache.write(next)
          assert.strictEqual(described(), 2)
          assert.isDefined(disk.hand.read(current))
        }),
      (described) => {
        if (described === 1) throw new RangeError("Array buffer allocation failed")
      }
    )
  )

  it.effect("goes through the key that counts when it is written, not the one of the first try", () => {
    let key = 1
    const protection: CacheProtection = {
      protect: (bytes) => Effect.sync(() => Uint8Array.from([key, ...bytes])),
      unprotect: (bytes) => Effect.succeed({ bytes: bytes.subarray(1), isStale: bytes[0] !== key })
    }
    return withCount(({ disk, cache, described }) =>
      Effect.gen(function* () {
        disk.become({ capacityBytes: 0 })
        yield* failOften(cache, next)
        key = 2
        disk.become({})
        yield* cache.write(next)
        assert.strictEqual(disk.hand.read(current)?.[0], 2)
        assert.strictEqual(described(), 1)
      })
    ).pipe(Effect.provideService(CacheProtection, protection))
  })
})
