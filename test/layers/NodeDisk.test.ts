import { execFileSync } from "node:child_process"
import { closeSync, constants, openSync, readSync } from "node:fs"
import { chmod, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schedule } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as ZlibCompression from "../../src/layers/ZlibCompression.ts"
import { Compression } from "../../src/services/Compression.ts"
import { Disk } from "../../src/services/Disk.ts"
import { diskConformance } from "../conformance/disk.ts"
import { temporaryFolder } from "../support/folder.ts"

const make = Effect.gen(function* () {
  return { disk: yield* Disk, folder: yield* temporaryFolder }
}).pipe(Effect.provide(NodeDisk.layer))

diskConformance("NodeDisk", make)

const modeOf = (path: string) => Effect.promise(async () => (await stat(path)).mode & 0o777)

describe("NodeDisk", () => {
  it.live("gives a file the mode that was asked for, also one that a crash left with another", () =>
    Effect.gen(function* () {
      const { disk, folder } = yield* make
      const path = join(folder, "a")
      yield* Effect.promise(() => writeFile(path, "left over"))
      yield* Effect.promise(() => chmod(path, 0o644))
      yield* Effect.flatMap(disk.create(path, 0o600), ({ close }) => close)
      assert.strictEqual(yield* modeOf(path), 0o600)
    })
  )

  it.live("makes folders relative to where the process stands, flushing each that is above a new one", () =>
    Effect.gen(function* () {
      const { disk, folder } = yield* make
      yield* disk.makeFolder(join(folder, "a", "..", "b", "c"))
      assert.deepStrictEqual([...(yield* disk.list(join(folder, "b")))], ["c"])
    })
  )
})

/**
 * Named pipes stand for files of a dead disk: to open one blocks the thread until somebody opens its other end. For both
 * directions at once it opens without waiting, and whoever waits goes on.
 */
const makePipes = (folder: string, names: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const pipes = names.map((name) => join(folder, name))
      execFileSync("mkfifo", pipes)
      return pipes
    }),
    (pipes) =>
      Effect.promise(async () => {
        for (let round = 0; round < 20; round++) {
          for (const pipe of pipes) closeSync(openSync(pipe, constants.O_RDWR))
          await new Promise((done) => setTimeout(done, 5))
        }
      })
  )

describe("calls that a dead disk never answers", () => {
  const within = <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.timeoutOption(work, "5 seconds")

  it.live("leave a thread for what a control plane pushes (docs/life-of-a-node.md, The cache)", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      const { gunzip } = yield* Compression
      const folder = yield* temporaryFolder
      for (const name of ["generations", "quarantine"]) yield* disk.makeFolder(join(folder, name))
      // What a node looks at or writes on its own: cache watch, cache, licence watch, clock.
      const names = ["config.json.gz", "config.json.gz.new", "license.json", "clock.json.new"]
      const deeper = ["generations/000001.json.gz", "quarantine/000001-0123456789ab.json.gz"]
      for (const pipe of yield* makePipes(folder, [...names, ...deeper]))
        yield* Effect.forkScoped(disk.read(pipe, 1024), { startImmediately: true })
      const inflated = yield* within(gunzip(gzipSync("pushed"), 1024))
      assert.isTrue(Option.isSome(inflated), "nothing was inflated while files hung")
    }).pipe(Effect.scoped, Effect.provide([NodeDisk.layer, ZlibCompression.layer]))
  )

  it.live("leave a way to other folders, where the pool is as large as the daemon's", () =>
    Effect.gen(function* () {
      const formerly = process.env.UV_THREADPOOL_SIZE
      process.env.UV_THREADPOOL_SIZE = "16"
      const disk = yield* Disk.pipe(Effect.provide(NodeDisk.layer, { local: true }))
      if (formerly === undefined) delete process.env.UV_THREADPOOL_SIZE
      else process.env.UV_THREADPOOL_SIZE = formerly
      const [dead, alive] = [yield* temporaryFolder, yield* temporaryFolder]
      yield* Effect.promise(() => writeFile(join(alive, "kong.yml"), "x"))
      for (const pipe of yield* makePipes(dead, ["a", "b", "c", "d", "e"]))
        yield* Effect.forkScoped(disk.read(pipe, 1024), { startImmediately: true })
      assert.isTrue(Option.isSome(yield* within(disk.read(join(alive, "kong.yml"), 10))))
    }).pipe(Effect.scoped)
  )

  it.live("end at once when they are interrupted; what they open afterwards is closed", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      const [pipe = ""] = yield* makePipes(yield* temporaryFolder, ["config.json.gz.new"])
      const fiber = yield* Effect.forkScoped(disk.create(pipe, 0o600), { startImmediately: true })
      yield* Effect.sleep("100 millis")
      assert.isTrue(Option.isSome(yield* within(Fiber.interrupt(fiber))))
      const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
      // A pipe whose writers are gone is at its end; one that is still open says EAGAIN.
      const isAtEnd = Effect.try({ try: () => readSync(reader, Buffer.alloc(1)) === 0, catch: String })
      yield* Effect.sleep("100 millis")
      assert.isTrue(yield* Effect.retry(isAtEnd, Schedule.spaced("20 millis").pipe(Schedule.upTo({ times: 50 }))))
      closeSync(reader)
    }).pipe(Effect.scoped, Effect.provide(NodeDisk.layer))
  )
})
