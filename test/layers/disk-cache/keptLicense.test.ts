/** `<prefix>/license.kept` beside the configurations: `docs/cache-file.md`, `docs/cache-encryption.md`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { cachePathsIn } from "../../../src/layers/disk-cache/cachePaths.ts"
import { makeKeptLicense } from "../../../src/layers/disk-cache/keptLicense.ts"
import { licenseMaxBytes } from "../../../src/model/License.ts"
import { CacheProtection, CacheProtectionError } from "../../../src/services/CacheProtection.ts"
import type { ConfigCache } from "../../../src/services/ConfigCache.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { goThrough } from "../../conformance/rung.ts"
import { fileIn, quickCompression, startCache } from "../../support/diskCache.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const prefix = "/prefix"
const file = `${prefix}/license.kept`
const quietly = Effect.provide(Logger.layer([]))

const start = (disk: VirtualDisk.VirtualDisk, given: Parameters<typeof startCache>[1] = {}) =>
  startCache(prefix, given, disk.layer, quickCompression)

const storeOf = ({ keptLicense }: ConfigCache["Service"]) => keptLicense ?? assert.fail("none is kept")

const withCache = Effect.fnUntraced(function* () {
  const disk = VirtualDisk.make()
  const cache = yield* start(disk)
  yield* cache.write(snapshotOf(table("/a")))
  yield* storeOf(cache).write("a licence")
  return disk
})

const readIn = (disk: VirtualDisk.VirtualDisk) => Effect.flatMap(start(disk), (cache) => storeOf(cache).read)

describe("the kept licence", () => {
  it.effect("is there after a restart and after a power cut, for its owner alone, and is replaced whole", () =>
    Effect.gen(function* () {
      const disk = yield* withCache()
      assert.strictEqual(yield* readIn(disk), "a licence")
      assert.strictEqual(disk.hand.modeOf(file), 0o600)
      for (let n = 1, isDone = false; !isDone; n++) {
        const cut = disk.crash({ kind: "power", seed: n })
        const store = storeOf(yield* start(cut))
        const before = cut.callCount()
        cut.become({ faultOf: (call) => (call.n === before + n ? { _tag: "Hangs", part: 0.5 } : undefined) })
        yield* Effect.forkScoped(store.write("the next one"), { startImmediately: true })
        isDone = cut.callCount() < before + n
        for (const kind of ["process", "power"] as const) {
          const found = yield* readIn(cut.crash({ kind, seed: n }))
          assert.include(isDone ? ["the next one"] : ["a licence", "the next one"], found)
        }
      }
    }).pipe(Effect.scoped, quietly)
  )

  it.effect("is forgotten with a cache that was deleted, whether the node asked the cache or not", () =>
    Effect.gen(function* () {
      for (const isAsked of [true, false]) {
        const disk = yield* withCache()
        disk.hand.remove(fileIn(prefix))
        const cache = yield* start(disk)
        if (isAsked) yield* goThrough(cache, () => true)
        assert.isUndefined(yield* storeOf(cache).read)
        assert.notInclude(disk.hand.paths(), file)
        // From here on it is another one's.
        yield* storeOf(cache).write("the next one")
        assert.strictEqual(yield* storeOf(cache).read, "the next one")
        yield* cache.write(snapshotOf(table("/b")))
        assert.strictEqual(yield* readIn(disk), "the next one")
      }
    }).pipe(quietly)
  )

  it.effect("is not forgotten when the cache was damaged, or can't be read just now", () =>
    Effect.gen(function* () {
      const torn = yield* withCache()
      torn.hand.write(fileIn(prefix), new Uint8Array([1, 2, 3]))
      const cache = yield* start(torn)
      assert.isUndefined((yield* goThrough(cache, () => true)).serves)
      assert.notInclude(torn.hand.paths(), fileIn(prefix), "it is in quarantine")
      assert.strictEqual(yield* storeOf(cache).read, "a licence")

      const unreadable = yield* withCache()
      const later = yield* start(unreadable)
      unreadable.become({
        faultOf: ({ path }) => (path === fileIn(prefix) ? { _tag: "Fails", code: "EIO" } : undefined)
      })
      yield* goThrough(later, () => true)
      assert.strictEqual(yield* storeOf(later).read, "a licence")
    }).pipe(quietly)
  )

  it.effect("is none where the disk is not used", () =>
    Effect.gen(function* () {
      const cache = yield* start(VirtualDisk.make(), { config_sources: "control_plane" })
      assert.isUndefined(cache.keptLicense)
    })
  )

  it.effect("fails with the reason of the disk, and leaves the former one", () =>
    Effect.gen(function* () {
      const disk = yield* withCache()
      const store = storeOf(yield* start(disk))
      disk.become({ isReadOnly: true })
      const { operation, file: where, code } = yield* Effect.flip(store.write("the next one"))
      assert.deepStrictEqual([operation, where, code], ["write", file, "EROFS"])
      assert.strictEqual(yield* store.read, "a licence")
    })
  )
})

/** The part by itself, on a disk with a cache and the text in it. */
const makePart = Effect.fnUntraced(function* (more: Partial<CacheProtection> = {}) {
  const { disk, hand, become, callCount } = VirtualDisk.make()
  hand.write(fileIn(prefix), new Uint8Array([1]))
  hand.write(file, new TextEncoder().encode("a licence"))
  const protection = { ...(yield* CacheProtection), ...more }
  return { ...makeKeptLicense({ disk, protection, paths: cachePathsIn(prefix) }), hand, become, callCount }
})

describe("what is read of the kept licence", () => {
  it.effect("is nothing where none was kept", () =>
    Effect.gen(function* () {
      const { read, hand } = yield* makePart()
      hand.remove(file)
      assert.isUndefined(yield* read)
    })
  )

  it.effect("is the reason why it can't be read, and never that there is none", () =>
    Effect.gen(function* () {
      const { read, become } = yield* makePart()
      become({ faultOf: ({ path }) => (path === file ? { _tag: "Fails", code: "EIO" } : undefined) })
      const broken = yield* Effect.flip(read)
      assert.deepStrictEqual([broken.operation, broken.file, broken.code], ["read", file, "EIO"])
      assert.match(broken.message, /EIO/)

      const unprotect = () => Effect.fail(new CacheProtectionError({ message: "expected the key", isPassing: true }))
      const locked = yield* Effect.flip((yield* makePart({ unprotect })).read)
      assert.deepStrictEqual([locked.operation, locked.file, locked.message], ["read", file, "expected the key"])
      assert.notProperty(locked, "code", "trying again is no use")
    })
  )

  it.effect("is what was kept when nobody can say whether there is a cache", () =>
    Effect.gen(function* () {
      const { read, become } = yield* makePart()
      become({ faultOf: ({ operation }) => (operation === "stat" ? { _tag: "Fails", code: "EIO" } : undefined) })
      assert.strictEqual(yield* read, "a licence")
    })
  )

  it.effect("is decided by the first look at the cache, which is the only one", () =>
    Effect.gen(function* () {
      const kept = yield* makePart()
      yield* kept.sees(true)
      yield* kept.sees(false)
      assert.strictEqual(yield* kept.read, "a licence")

      const asked = yield* makePart()
      yield* asked.read
      const before = asked.callCount()
      yield* asked.read
      assert.strictEqual(asked.callCount() - before, 1)
    })
  )

  it.effect("is nothing once it is forgotten, on a disk that takes nothing away as well", () =>
    Effect.gen(function* () {
      const { read, hand, become } = yield* makePart()
      hand.remove(fileIn(prefix))
      become({ isReadOnly: true })
      assert.isUndefined(yield* read)
      assert.include(hand.paths(), file)
    })
  )

  it.effect("may be eight times as large as a licence, and no larger", () =>
    Effect.gen(function* () {
      const { read, hand } = yield* makePart()
      hand.write(file, new Uint8Array(licenseMaxBytes * 8).fill(97))
      assert.lengthOf((yield* read) ?? "", licenseMaxBytes * 8)
      hand.write(file, new Uint8Array(licenseMaxBytes * 8 + 1).fill(97))
      assert.strictEqual((yield* Effect.flip(read)).code, "EFBIG")
    })
  )
})
