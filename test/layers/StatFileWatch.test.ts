import { mkdir, rename, rm, utimes, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as StatFileWatch from "../../src/layers/StatFileWatch.ts"
import { Disk, type FileFacts } from "../../src/services/Disk.ts"
import { FileWatch, type WatchedFile } from "../../src/services/FileWatch.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { temporaryFolder } from "../support/folder.ts"
import { settle } from "../support/live.ts"

const watching = StatFileWatch.layer.pipe(Layer.provide(NodeDisk.layer))

const within = (watched: WatchedFile) => Effect.timeoutOption(watched.changed, "3 seconds")

/** True when the change was told. */
const tells = (watched: WatchedFile, change: () => Promise<unknown>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(within(watched), { startImmediately: true })
    yield* Effect.promise(change)
    return (yield* Fiber.join(fiber))._tag === "Some"
  })

const make = async (file: string, text: string) => {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}

/** As a copy that keeps times does it. */
const swap = async (file: string) => {
  await writeFile(`${file}.new`, "new")
  await utimes(`${file}.new`, 1, 1)
  await rename(`${file}.new`, file)
}

const remake = async (file: string) => {
  await rm(dirname(file), { recursive: true })
  await make(file, "old")
}

describe.concurrent("following a file", () => {
  it.live.each([
    { name: "made, with its folder", before: async () => undefined, change: (file: string) => make(file, "new") },
    { name: "written in place", before: make, change: (file: string) => writeFile(file, "new") },
    { name: "renamed over", before: make, change: swap },
    { name: "removed and made again, with its folder", before: make, change: remake }
  ])("tells once that it was $name", ({ before, change }) =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "prefix", "kong.yml")
      yield* Effect.promise(() => before(file, "old"))
      const watched = yield* (yield* FileWatch).watch(file)
      assert.isTrue(yield* tells(watched, () => change(file)))
      assert.strictEqual((yield* Effect.timeoutOption(watched.changed, "1200 millis"))._tag, "None")
    }).pipe(Effect.provide(watching))
  )

  it.live("tells what changed while nobody waited", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "kong.yml")
      const watched = yield* (yield* FileWatch).watch(file)
      yield* Effect.promise(() => writeFile(file, "new"))
      assert.isTrue(yield* tells(watched, async () => undefined))
    }).pipe(Effect.provide(watching))
  )

  it.live("waits until what is being written rests", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "kong.yml")
      const watched = yield* (yield* FileWatch).watch(file)
      const fiber = yield* Effect.forkChild(within(watched), { startImmediately: true })
      let writes = 0
      while (writes < 10 && fiber.pollUnsafe() === undefined) {
        yield* Effect.promise(() => writeFile(file, "x".repeat(++writes)))
        yield* Effect.sleep("150 millis")
      }
      assert.strictEqual(writes, 10)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Some")
    }).pipe(Effect.provide(watching))
  )
})

describe("following files of a dead disk", () => {
  it.effect("asks one question of each folder, however many files are followed there, and follows others on", () =>
    Effect.gen(function* () {
      const { disk, hand } = VirtualDisk.make()
      const underWay: Array<string> = []
      let isDead = false
      const stat = (path: string) =>
        Effect.suspend((): Effect.Effect<FileFacts, never> => {
          if (!isDead || !path.startsWith("/dead/")) return Effect.orDie(disk.stat(path))
          underWay.push(path)
          return Effect.never
        })
      const files = ["/dead/config.json.gz", "/dead/license.json", "/dead/clock.json", "/etc/kong.yml"]
      for (const file of files) hand.write(file, new Uint8Array([1]))
      yield* Effect.gen(function* () {
        const { watch } = yield* FileWatch
        const watched = yield* Effect.forEach([...files, ...files], watch)
        yield* TestClock.adjust("2 seconds")
        isDead = true
        const told = yield* Effect.forEach(watched, ({ changed }) =>
          Effect.forkChild(changed, { startImmediately: true })
        )
        for (const file of files) hand.write(file, new Uint8Array([1, 2]))
        yield* TestClock.adjust("1 minute")
        yield* settle
        assert.lengthOf(underWay, 1)
        const isTold = told.map((fiber) => fiber.pollUnsafe() !== undefined)
        assert.deepEqual(isTold, [false, false, false, true, false, false, false, true])
      }).pipe(Effect.provide(StatFileWatch.layer.pipe(Layer.provide(Layer.succeed(Disk, { ...disk, stat })))))
    })
  )

  it.effect("does not wait for the first look; what is seen at last is told once", () =>
    Effect.gen(function* () {
      const { disk, hand, become } = VirtualDisk.make()
      hand.write("/dead/config.json.gz", new Uint8Array([1]))
      become({ isStuck: true })
      yield* Effect.gen(function* () {
        const { watch } = yield* FileWatch
        const watching = yield* Effect.forkChild(watch("/dead/config.json.gz"), { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        yield* settle
        const { changed } = watching.pollUnsafe() === undefined ? assert.fail("waits on") : yield* Fiber.join(watching)
        const first = yield* Effect.forkChild(changed, { startImmediately: true })
        yield* TestClock.adjust("1 minute")
        assert.isUndefined(first.pollUnsafe())
        become({})
        yield* TestClock.adjust("1 second")
        assert.isDefined(first.pollUnsafe())
        const second = yield* Effect.forkChild(changed, { startImmediately: true })
        yield* TestClock.adjust("1 minute")
        assert.isUndefined(second.pollUnsafe())
      }).pipe(Effect.provide(StatFileWatch.layer.pipe(Layer.provide(Layer.succeed(Disk, disk)))))
    })
  )
})
