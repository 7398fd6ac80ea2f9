/** A prefix on a disk that never answers: the node starts, says so, and serves what it gets elsewhere (`DESIGN.md`, "The life of a node", 1 and 2). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Option, Schedule, SubscriptionRef } from "effect"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { Disk } from "../../src/services/Disk.ts"
import { Identity } from "../../src/services/Identity.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { Proxy } from "../../src/services/Proxy.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { plainFile } from "../support/diskCache.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const node = (disk: Layer.Layer<Disk>, given: Partial<Record<SettingName, string>> = {}) =>
  DataPlane.layerFromSettings({ disk }).pipe(
    Layer.provide(
      settingsLayer({ prefix: "/dead", proxy_listen: "127.0.0.1:0", status_listen: "127.0.0.1:0", ...given })
    )
  )

const never = () => Effect.never

const deadDisk = Layer.succeed(Disk, {
  read: never,
  stat: never,
  list: never,
  makeFolder: never,
  create: never,
  append: never,
  rename: never,
  link: never,
  remove: never,
  syncFolder: never
})

const within = <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.timeoutOption(work, "20 seconds")

describe("a node whose disk never answers", { concurrent: true }, () => {
  it.live("opens its listeners all the same", () =>
    Effect.gen(function* () {
      const given = { declarative_config_string: '{"_format_version":"3.0"}' }
      const started = Effect.map(Proxy, ({ addresses }) => addresses.length).pipe(Effect.provide(node(deadDisk, given)))
      assert.deepEqual(yield* within(started), Option.some(1))
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("serves what it finds when the disk is back, and nothing of what it began without is half done", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const kept = "5b1b701d-de2b-4588-9aa2-3b97061d9f52"
      const file = plainFile(table("/kept"))
      disk.hand.write("/dead/kong.id", new TextEncoder().encode(kept))
      disk.hand.write("/dead/config.json.gz", file)
      disk.become({ isStuck: true })
      yield* Effect.gen(function* () {
        const { state } = yield* LiveConfig
        const { source, passedOver } = yield* SubscriptionRef.get(state)
        assert.strictEqual(source, "empty")
        assert.deepInclude(passedOver, { source: "disk", reasons: ["the disk does not answer"] })
        assert.notStrictEqual((yield* Identity).nodeId, kept)
        disk.become({})
        const served = Effect.filterOrFail(SubscriptionRef.get(state), (now) => now.source === "disk")
        yield* Effect.retry(served, Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 200 })))
        const { byHand } = yield* ConfigCache
        // The watch has told the file by then, and it was found to be no change.
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* byHand?.state ?? Effect.die("not followed"), "own")
        assert.strictEqual((yield* SubscriptionRef.get(state)).acceptedCount, 1)
        assert.isUndefined((yield* NodeHealth).cacheProblem.current)
        assert.strictEqual(new TextDecoder().decode(disk.hand.read("/dead/kong.id")), kept)
        assert.deepEqual(disk.hand.read("/dead/config.json.gz"), file)
        assert.deepEqual(
          disk.hand.paths().filter((path) => !path.endsWith("clock.json")),
          ["/dead/config.json.gz", "/dead/kong.id"]
        )
      }).pipe(Effect.provide(node(disk.layer)))
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("can be stopped while it waits", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Layer.launch(node(deadDisk)), { startImmediately: true })
      yield* Effect.sleep("1 second")
      assert.isTrue(Option.isSome(yield* within(Fiber.interrupt(fiber))))
      const started = yield* Effect.forkChild(Layer.launch(node(deadDisk)), { startImmediately: true })
      yield* Effect.sleep("6 seconds")
      assert.isTrue(Option.isSome(yield* within(Fiber.interrupt(started))))
    }).pipe(Effect.provide(Logger.layer([])))
  )
})
