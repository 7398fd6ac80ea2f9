/** Objects as files in a shared folder (`resilience.md` §5): on a real disk, and on virtual ones that fail. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as NodeDisk from "../../../src/layers/NodeDisk.ts"
import { withLock } from "../../../src/layers/object-storage/fileLock.ts"
import { fileStore } from "../../../src/layers/object-storage/fileStore.ts"
import { Disk } from "../../../src/services/Disk.ts"
import type { Expectation, ObjectStore } from "../../../src/services/ObjectStore.ts"
import { faulty } from "../../../src/testing/FaultyDisk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { bytesOf } from "../../conformance/disk.ts"
import { objectStoreConformance, textAt, troubleOf } from "../../conformance/objectStore.ts"

const root = mkdtempSync(join(tmpdir(), "holdfast-store-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Of a process of its own: nothing but the folder is shared. */
const storeAt = (folder: string): Effect.Effect<ObjectStore> =>
  Effect.map(Disk, (disk) => {
    mkdirSync(folder, { recursive: true })
    return fileStore(disk, folder)
  }).pipe(Effect.provide(NodeDisk.layer, { local: true }))

objectStoreConformance("a folder", (prefix) => storeAt(join(root, prefix)))

const put = (store: ObjectStore, text: string, expects: Expectation, key = "a") =>
  store.write(key, { bytes: bytesOf(text), contentType: "application/json", expects })

const nothing: Expectation = { _tag: "Nothing" }
const anything: Expectation = { _tag: "Anything" }

const folderOf = (name: string) => join(root, name)

const virtual = () => {
  const disk = VirtualDisk.make()
  return { disk, store: Effect.as(Effect.orDie(disk.disk.makeFolder("/shared")), fileStore(disk.disk, "/shared")) }
}

describe("a folder as an object store", () => {
  it.live("leaves nothing but the objects behind", () =>
    Effect.gen(function* () {
      const store = yield* storeAt(folderOf("tidy"))
      const tag = yield* put(store, "one", nothing)
      yield* troubleOf(put(store, "two", nothing))
      yield* put(store, "three", { _tag: "Unchanged", tag })
      yield* put(store, "four", anything)
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(readdirSync(folderOf("tidy")), ["a"])
    })
  )

  it.live("does not make the folder itself: a mount that is missing is no place to write to", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      const store = fileStore(disk, folderOf("missing"))
      for (const expects of [nothing, anything])
        assert.strictEqual(yield* troubleOf(put(store, "one", expects)), "misconfigured")
      assert.strictEqual(yield* troubleOf(store.read("a", 10)), "misconfigured")
      assert.strictEqual(yield* troubleOf(store.read("deep/a", 10)), "misconfigured")
    }).pipe(Effect.provide(NodeDisk.layer))
  )

  it.live("takes no key that leads out of it", () =>
    Effect.gen(function* () {
      const store = yield* storeAt(folderOf("within"))
      for (const key of ["../a", "a/../../b", "/a", "a//b", "", "."]) {
        assert.strictEqual(yield* troubleOf(put(store, "one", anything, key)), "misconfigured")
        assert.strictEqual(yield* troubleOf(store.read(key, 10)), "misconfigured")
      }
    })
  )

  it.live("breaks a lock that was left behind, by the dates of the file system alone", () =>
    Effect.gen(function* () {
      const folder = folderOf("stale")
      const store = yield* storeAt(folder)
      writeFileSync(join(folder, "a.lock"), "of a process that died")
      const twoMinutesAgo = new Date(Date.now() - 120_000)
      utimesSync(join(folder, "a.lock"), twoMinutesAgo, twoMinutesAgo)
      yield* put(store, "one", nothing)
      assert.strictEqual(yield* textAt(store, "a"), "one")
      assert.deepStrictEqual(readdirSync(folder), ["a"])
    })
  )

  it.live("takes away what those who died left beside the object, and nothing that may be at work", () =>
    Effect.gen(function* () {
      const folder = folderOf("leftovers")
      const store = yield* storeAt(folder)
      const old = ["a.new.1", "a.lock.1", "a.lock.2.broken"]
      const kept = ["a.new.2", "a.lock.3", "b.new.1"]
      for (const name of [...old, ...kept]) writeFileSync(join(folder, name), "half")
      const longAgo = new Date(Date.now() - 90_000_000)
      for (const name of [...old, "b.new.1"]) utimesSync(join(folder, name), longAgo, longAgo)
      yield* put(store, "one", nothing)
      assert.sameMembers(readdirSync(folder), ["a", ...kept])
    })
  )

  it.live("releases a lock only while it is its own", () =>
    Effect.gen(function* () {
      const folder = folderOf("own")
      mkdirSync(folder)
      const disk = yield* Disk
      const path = join(folder, "a")
      const taken = Effect.sync(() => {
        rmSync(`${path}.lock`)
        writeFileSync(`${path}.lock`, "another's")
      })
      yield* withLock(disk, path, taken)
      assert.deepStrictEqual(readdirSync(folder), ["a.lock"])
    }).pipe(Effect.provide(NodeDisk.layer))
  )

  it.effect("waits for a lock that is held, and gives up in time", () =>
    Effect.gen(function* () {
      const { disk, store } = virtual()
      const held = yield* store
      yield* Effect.orDie(Effect.flatMap(disk.disk.create("/shared/a.lock", 0o600), ({ close }) => close))
      const writing = yield* Effect.forkChild(troubleOf(put(held, "one", nothing)), { startImmediately: true })
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(writing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(writing), "unavailable")
      assert.isUndefined(yield* held.read("a", 10))
    })
  )

  it.effect("needs no lock where anything is expected", () =>
    Effect.gen(function* () {
      const { disk, store } = virtual()
      const held = yield* store
      yield* Effect.orDie(Effect.flatMap(disk.disk.create("/shared/a.lock", 0o600), ({ close }) => close))
      yield* put(held, "one", anything)
      assert.strictEqual(yield* textAt(held, "a"), "one")
    })
  )

  it.effect("says that a file system without hard links can't lock, and writes where nothing is expected", () =>
    Effect.gen(function* () {
      const { disk, store } = virtual()
      yield* store
      const linkless = fileStore(
        faulty(disk.disk, {
          faultOf: ({ operation }) => (operation === "link" ? { _tag: "Fails", code: "ENOTSUP" } : undefined)
        }),
        "/shared"
      )
      assert.strictEqual(yield* troubleOf(put(linkless, "one", nothing)), "unsupported")
      yield* put(linkless, "one", anything)
      assert.strictEqual(yield* textAt(linkless, "a"), "one")
    })
  )

  it.effect("tells apart what a disk says: no permission, no room, no answer", () =>
    Effect.gen(function* () {
      for (const [code, trouble] of Object.entries({
        EACCES: "denied",
        EROFS: "denied",
        ENOSPC: "unavailable",
        EIO: "unavailable"
      })) {
        const { disk, store } = virtual()
        yield* store
        const broken = fileStore(
          faulty(disk.disk, {
            faultOf: ({ operation }) => (operation === "write" ? { _tag: "Fails", code } : undefined)
          }),
          "/shared"
        )
        assert.strictEqual(yield* troubleOf(put(broken, "one", anything)), trouble)
        assert.isUndefined(yield* broken.read("a", 10))
      }
    })
  )

  it.effect("does not wait for a dead disk, whatever call it holds", () =>
    Effect.gen(function* () {
      for (const held of ["list", "create", "write", "close", "link", "rename", "remove"] as const) {
        const { disk, store } = virtual()
        yield* store
        const dead = fileStore(
          faulty(disk.disk, {
            faultOf: ({ operation }) => (operation === held ? { _tag: "Hangs", part: 0 } : undefined)
          }),
          "/shared"
        )
        const writing = yield* Effect.forkChild(troubleOf(put(dead, "one", nothing)), { startImmediately: true })
        // The digest is made by another thread, in real time.
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
        yield* TestClock.adjust("31 seconds")
        assert.strictEqual(yield* Fiber.join(writing), "unavailable", `held by ${held}`)
      }
    })
  )
})
