/** SIGUSR1 comes when it comes: at a node that is still starting, too, where Node would open its debugger at it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { runDaemon } from "../../src/programs/Daemon.ts"
import { Disk } from "../../src/services/Disk.ts"

const listeners = (): number => process.listenerCount("SIGUSR1")

describe("SIGUSR1", () => {
  it.live("is heard while the node is still starting, and no more when it has ended", () =>
    Effect.gen(function* () {
      const before = listeners()
      const isStarting = yield* Deferred.make<void>()
      const disk = Layer.effect(Disk, Effect.andThen(Deferred.succeed(isStarting, undefined), Effect.never))
      const env = { HOLDFAST_PREFIX: "/nowhere", HOLDFAST_STATUS_LISTEN: "off", HOLDFAST_PROXY_LISTEN: "off" }
      const daemon = yield* Effect.forkChild(runDaemon("data_plane", { disk })({ flags: {}, env, operands: [] }))
      yield* Deferred.await(isStarting)
      assert.strictEqual(listeners(), before + 1)
      yield* Fiber.interrupt(daemon)
      assert.strictEqual(listeners(), before)
    })
  )
})
