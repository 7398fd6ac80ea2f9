/** What a stop owes the disk: a last try, and no more than patience (`docs/life-of-a-node.md`). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Ref } from "effect"
import { TestClock } from "effect/testing"
import { ConfigCache } from "../../../src/services/ConfigCache.ts"
import { settle } from "../../support/live.ts"
import { passSeconds, push, withNode } from "../../support/outletNode.ts"

const nothing = Effect.succeed({ _tag: "Nothing", reason: "no file" } as const)

const cacheThat = (write: Effect.Effect<void>) =>
  Layer.succeed(ConfigCache, { source: "disk", offer: nothing, write: () => Effect.uninterruptible(write) })

describe("stopping", () => {
  it.effect("waits for a disk that never answers for 5 s, and no longer", () =>
    withNode(
      ({ receive, stop }) =>
        Effect.gen(function* () {
          yield* receive(push("1"))
          const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
          yield* TestClock.adjust("4999 millis")
          yield* settle
          assert.isUndefined(stopping.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          yield* settle
          assert.isDefined(stopping.pollUnsafe())
        }),
      { cache: cacheThat(Effect.never) }
    )
  )

  it.effect("waits for the write that is under way", () =>
    Effect.gen(function* () {
      const written = yield* Ref.make(0)
      const slow = Effect.andThen(
        Effect.sleep("3 seconds"),
        Ref.update(written, (count) => count + 1)
      )
      yield* withNode(
        ({ receive, stop }) =>
          Effect.gen(function* () {
            yield* receive(push("1"))
            const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
            yield* passSeconds(3)
            yield* Fiber.join(stopping)
            assert.strictEqual(yield* Ref.get(written), 1)
          }),
        { cache: cacheThat(slow) }
      )
    })
  )

  it.effect("tries once more to write what the disk had refused, and what came meanwhile", () =>
    withNode(({ cache, receive, stop }) =>
      Effect.gen(function* () {
        yield* Ref.set(cache.failures, 1)
        yield* receive(push("1"))
        assert.lengthOf(yield* Ref.get(cache.written), 0)
        yield* stop
        assert.lengthOf(yield* Ref.get(cache.written), 1)
      })
    )
  )

  it.effect("writes nothing anew when nothing is owed", () =>
    withNode(({ cache, receive, stop }) =>
      Effect.gen(function* () {
        yield* receive(push("1"))
        yield* stop
        assert.lengthOf(yield* Ref.get(cache.written), 1)
      })
    )
  )
})
