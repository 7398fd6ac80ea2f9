import { mkdir, readFile, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as CryptoSecureRandom from "../../src/layers/CryptoSecureRandom.ts"
import * as FileIdentity from "../../src/layers/FileIdentity.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { Identity } from "../../src/services/Identity.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { temporaryFolder } from "../support/folder.ts"
import { settle } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"

const identity = (given: Partial<Record<SettingName, string>>) =>
  Identity.pipe(
    Effect.provide(
      FileIdentity.layer.pipe(Layer.provide([settingsLayer(given), NodeDisk.layer, CryptoSecureRandom.layer]))
    )
  )

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe("node identity (hybrid-protocol-v1.md §12)", () => {
  it.live("makes an id once and keeps it in the prefix", () =>
    Effect.gen(function* () {
      const prefix = join(yield* temporaryFolder, "new")
      const first = yield* identity({ prefix })
      assert.match(first.nodeId, uuid)
      assert.strictEqual(first.hostname, hostname())
      assert.strictEqual(first.version, "3.9.0")
      assert.strictEqual((yield* identity({ prefix })).nodeId, first.nodeId)
      assert.strictEqual(yield* Effect.promise(() => readFile(join(prefix, "kong.id"), "utf8")), first.nodeId)
    })
  )

  it.live("prefers the setting, replaces a file that holds no UUID, and lives without a writable prefix", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const node_id = "5b1b701d-de2b-4588-9aa2-3b97061d9f52"
      assert.strictEqual((yield* identity({ prefix, node_id })).nodeId, node_id)
      for (const garbage of ["garbage", "", "x".repeat(100_000)]) {
        yield* Effect.promise(() => writeFile(join(prefix, "kong.id"), garbage))
        const { nodeId } = yield* identity({ prefix })
        assert.match(nodeId, uuid)
        assert.strictEqual((yield* identity({ prefix })).nodeId, nodeId)
      }
      yield* Effect.promise(() => mkdir(join(prefix, "file-in-the-way"), { recursive: true }))
      yield* Effect.promise(() => writeFile(join(prefix, "file-in-the-way", "x"), ""))
      assert.match((yield* identity({ prefix: join(prefix, "file-in-the-way", "x", "deeper") })).nodeId, uuid)
    })
  )
})

describe("node identity on a disk that does not answer", () => {
  const kept = "5b1b701d-de2b-4588-9aa2-3b97061d9f52"
  const file = "/p/kong.id"

  /** Starts in the way of a fault; what the id is, once there is one, and what stands in the file after the disk is back. */
  const start = (disk: VirtualDisk.VirtualDisk, conditions: VirtualDisk.DiskConditions) =>
    Effect.gen(function* () {
      const layer = FileIdentity.layer.pipe(
        Layer.provide([settingsLayer({ prefix: "/p" }), disk.layer, CryptoSecureRandom.layer])
      )
      disk.become(conditions)
      return yield* Effect.gen(function* () {
        const starting = yield* Effect.forkChild(Effect.provide(Identity, layer), { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        yield* settle
        const { nodeId } = starting.pollUnsafe() === undefined ? assert.fail("waits on") : yield* Fiber.join(starting)
        disk.become({})
        yield* settle
        const bytes = disk.hand.read(file)
        return { nodeId, inFile: bytes === undefined ? undefined : new TextDecoder().decode(bytes) }
      })
    }).pipe(Effect.provide(Logger.layer([])))

  it.effect("is one for this run, and what may stand there unread is not overwritten, then or later", () =>
    Effect.gen(function* () {
      for (const before of [kept, "garbage"]) {
        const disk = VirtualDisk.make()
        disk.hand.write(file, new TextEncoder().encode(before))
        const { nodeId, inFile } = yield* start(disk, { isStuck: true })
        assert.match(nodeId, uuid)
        assert.notStrictEqual(nodeId, kept)
        assert.strictEqual(inFile, before)
      }
    })
  )

  it.effect("is never another than what is written at last, when the disk answered the first question only", () =>
    Effect.gen(function* () {
      for (const operation of ["makeFolder", "create", "write", "sync", "rename", "syncFolder"]) {
        const disk = VirtualDisk.make()
        const slow: VirtualDisk.FaultPlan = (call) =>
          call.operation === operation ? { _tag: "Slow", ms: 60_000 } : undefined
        const { nodeId, inFile } = yield* start(disk, { faultOf: slow })
        assert.match(nodeId, uuid)
        assert.include([undefined, nodeId], inFile)
      }
    })
  )
})
