/** Bytes go through one function before they are written and after they are read; here one that a child sees through. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { CacheProtection, CacheProtectionError } from "../../../src/services/CacheProtection.ts"
import type { DiskOperation } from "../../../src/services/Disk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { goThrough } from "../../conformance/rung.ts"
import { fileIn, plainFile, quickCompression, startCache } from "../../support/diskCache.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const prefix = "/prefix"
const generations = `${prefix}/generations`
const mark = 0x21

/** Turns every byte by the key, and says by which: `0x21 key …`. Plain files are read, and stale. */
const turning = (key: number, known: ReadonlyArray<number> = [key]): CacheProtection => ({
  protect: (bytes) => Effect.succeed(Uint8Array.from([mark, key, ...bytes.map((byte) => byte ^ key)])),
  unprotect: (bytes) => {
    if (bytes[0] !== mark) return Effect.succeed({ bytes, isStale: true })
    const [, by = 0, ...turned] = bytes
    if (!known.includes(by))
      return Effect.fail(new CacheProtectionError({ message: `key ${by} is not known`, isPassing: true }))
    return Effect.succeed({ bytes: Uint8Array.from(turned, (byte) => byte ^ by), isStale: by !== key })
  }
})

const start = (disk: VirtualDisk.VirtualDisk, protection: CacheProtection) =>
  startCache(prefix, {}, disk.layer, quickCompression).pipe(Effect.provideService(CacheProtection, protection))

const serve = (disk: VirtualDisk.VirtualDisk, protection: CacheProtection) =>
  Effect.flatMap(start(disk, protection), (cache) => goThrough(cache, () => true))

const keysOn = ({ hand }: VirtualDisk.VirtualDisk) =>
  [
    fileIn(prefix),
    ...hand
      .list(generations)
      .toSorted()
      .map((name) => `${generations}/${name}`)
  ].map((path) => {
    const [first, key] = hand.read(path) ?? []
    return first === mark ? key : "plain"
  })

const writeAll = Effect.fnUntraced(function* (disk: VirtualDisk.VirtualDisk, protection: CacheProtection) {
  const cache = yield* start(disk, protection)
  for (const path of ["/a", "/b", "/c"]) yield* cache.write(snapshotOf(table(path)))
  return cache
})

const quietly = Effect.provide(Logger.layer([]))

/** As encryption is: other bytes each time. */
const salting = (): CacheProtection => {
  let salt = 0
  return {
    protect: (bytes) => Effect.sync(() => Uint8Array.from([mark, salt++, ...bytes])),
    unprotect: (bytes) => Effect.succeed({ bytes: bytes.subarray(2), isStale: false })
  }
}

describe("protection of the cache", () => {
  it.effect("leaves the file the node's own, though no try of a write has the bytes of the one before", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const cache = yield* writeAll(disk, salting())
      const failAt = Effect.fnUntraced(function* (failing: DiskOperation) {
        disk.become({
          faultOf: ({ operation }) => (operation === failing ? { _tag: "Fails", code: "EIO" } : undefined)
        })
        yield* Effect.flip(cache.write(snapshotOf(table("/d"))))
        disk.become({})
        assert.strictEqual(yield* cache.byHand?.state ?? Effect.die("not followed"), "own", failing)
      })
      yield* failAt("rename")
      disk.become({
        faultOf: ({ operation, path }) =>
          operation === "syncFolder" && path === prefix ? { _tag: "Fails", code: "EIO" } : undefined
      })
      yield* Effect.flip(cache.write(snapshotOf(table("/d"))))
      yield* failAt("create")
      yield* failAt("rename")
    }).pipe(quietly)
  )

  it.effect("covers the current file and the older ones, which are read back after a restart", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* writeAll(disk, turning(7))
      assert.deepEqual(keysOn(disk), [7, 7, 7])
      assert.strictEqual((yield* serve(disk, turning(7))).serves, "/c")
      disk.hand.write(fileIn(prefix), new Uint8Array([mark, 7, 1]))
      assert.strictEqual((yield* serve(disk, turning(7))).serves, "/b")
    }).pipe(quietly)
  )

  it.effect("leaves the former file where there is no key to write by, and says so", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* writeAll(disk, turning(7))
      const before = disk.hand.read(fileIn(prefix))
      const keyless: CacheProtection = {
        ...turning(7),
        protect: () => Effect.fail(new CacheProtectionError({ message: "no key", isPassing: true }))
      }
      const cache = yield* start(disk, keyless)
      const { operation, file, message } = yield* Effect.flip(cache.write(snapshotOf(table("/d"))))
      assert.deepEqual([operation, file, message], ["write", fileIn(prefix), "no key"])
      assert.deepEqual(disk.hand.read(fileIn(prefix)), before)
    }).pipe(quietly)
  )

  it.effect("is renewed, older ones included, once a file serves that is not protected as it should be", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* writeAll(disk, turning(7))
      const rotated = turning(9, [7, 9])
      const cache = yield* start(disk, rotated)
      yield* cache.byHand?.adopt ?? Effect.die("not followed")
      assert.strictEqual((yield* goThrough(cache, () => true)).serves, "/c")
      assert.deepEqual(keysOn(disk), [9, 9, 9])
      assert.strictEqual(yield* cache.byHand?.state ?? Effect.die("not followed"), "own")
      assert.strictEqual((yield* serve(disk, turning(9))).serves, "/c")
    }).pipe(quietly)
  )

  it.effect("covers what a person put there in plain, after it served; and what was written before it was on", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      disk.hand.write(fileIn(prefix), plainFile(table("/plain")))
      const cache = yield* start(disk, turning(7))
      assert.strictEqual((yield* goThrough(cache, () => true)).serves, "/plain")
      assert.deepEqual(keysOn(disk), [7])
      disk.hand.write(fileIn(prefix), plainFile(table("/hand")))
      const byHand = cache.byHand ?? assert.fail("not followed")
      yield* goThrough({ source: "disk", offer: byHand.offer }, () => true)
      assert.deepEqual(keysOn(disk), [7])
      assert.strictEqual(yield* byHand.state, "known")
    }).pipe(quietly)
  )

  it.effect("leaves files alone whose key is not there: with the key they serve again", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* writeAll(disk, turning(7))
      const without = yield* serve(disk, turning(9))
      assert.deepInclude(without, { serves: undefined, unusable: 3 })
      assert.match(without.reason ?? "", /may serve yet/)
      assert.deepEqual(keysOn(disk), [7, 7, 7])
      assert.deepEqual(disk.hand.list(`${prefix}/quarantine`), [])
      assert.strictEqual((yield* serve(disk, turning(7))).serves, "/c")
    }).pipe(quietly)
  )

  it.effect("is renewed on request, whatever can be read; and says when the disk fails", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* writeAll(disk, turning(7))
      disk.hand.write(`${generations}/000001.json.gz`, new Uint8Array([mark, 3, 1, 2]))
      const cache = yield* start(disk, turning(9, [7, 9]))
      const renew = cache.renew ?? Effect.die("not renewable")
      disk.become({ isReadOnly: true })
      assert.strictEqual((yield* Effect.flip(renew)).code, "EROFS")
      disk.become({})
      yield* renew
      assert.deepEqual(keysOn(disk), [9, 3, 9])
      disk.hand.remove(fileIn(prefix))
      yield* renew
    }).pipe(quietly)
  )

  it.effect("is renewed for the licence that is kept as well, and for nothing that is protected as it should be", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const before = yield* writeAll(disk, turning(7))
      const license = before.keptLicense ?? assert.fail("none is kept")
      yield* license.write("licence")
      const { renew = assert.fail("not renewable") } = yield* start(disk, turning(9, [7, 9]))
      assert.deepEqual(yield* renew, [])
      assert.deepEqual(keysOn(disk), [9, 9, 9])
      assert.strictEqual(disk.hand.read(license.file)?.[1], 9)

      const salted = VirtualDisk.make()
      const cache = yield* writeAll(salted, salting())
      const contents = () => salted.hand.paths().map((path) => salted.hand.read(path))
      const found = contents()
      assert.deepEqual(yield* cache.renew ?? assert.fail("not renewable"), [])
      assert.deepEqual(contents(), found)
    }).pipe(quietly)
  )

  it.effect("when it is renewed leaves aside what no key reads, and says which key that asks for", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* writeAll(disk, turning(7))
      const rotated = turning(9, [7, 9])
      const named: CacheProtection = {
        ...rotated,
        unprotect: (bytes) =>
          Effect.mapError(
            rotated.unprotect(bytes),
            ({ message, isPassing }) => new CacheProtectionError({ message, isPassing, keyId: String(bytes[1]) })
          )
      }
      const file = `${generations}/000001.json.gz`
      disk.hand.write(file, new Uint8Array([mark, 3, 1, 2]))
      const { renew = assert.fail("not renewable") } = yield* start(disk, named)
      assert.deepEqual(yield* renew, [{ file, reason: "key 3 is not known", keyId: "3" }])
    }).pipe(quietly)
  )

  it.effect("of an older one, renewed, makes nothing else the node's own", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      let key = 7
      const replaceable: CacheProtection = {
        protect: (bytes) => turning(key).protect(bytes),
        unprotect: (bytes) => turning(key, [7, 9]).unprotect(bytes)
      }
      const cache = yield* start(disk, replaceable)
      const { byHand = assert.fail("not followed"), renew = assert.fail("not renewable") } = cache
      yield* cache.write(snapshotOf(table("/a")))
      // It is an older one by now, and the current one as well.
      disk.become({
        faultOf: ({ operation }) => (operation === "rename" ? { _tag: "Fails", code: "EIO" } : undefined)
      })
      yield* Effect.flip(cache.write(snapshotOf(table("/b"))))
      disk.become({})
      // As `mv` does it: written into, it would change under its other name as well.
      disk.hand.remove(fileIn(prefix))
      disk.hand.write(fileIn(prefix), plainFile(table("/hand")))
      key = 9
      yield* renew
      assert.deepEqual(keysOn(disk), [9, 9])
      const older = disk.hand.read(`${generations}/000001.json.gz`) ?? assert.fail("not kept")
      disk.hand.write(fileIn(prefix), older)
      assert.strictEqual(yield* byHand.state, "foreign", "a person put it there")
    }).pipe(quietly)
  )
})
