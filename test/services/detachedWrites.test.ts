/** Writes that nobody can interrupt, and a stop that waits for them as long as it should (`DESIGN.md`, "The life of a node", 8). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { makeDetachedWrites } from "../../src/services/detachedWrites.ts"
import { settle } from "../support/live.ts"

const inScope = (owed: () => Effect.Effect<void, string>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const begin = yield* makeDetachedWrites(owed).pipe(Scope.provide(scope))
    return { begin, close: Effect.exit(Scope.close(scope, Exit.void)) }
  })

const nothing = () => Effect.void

describe("detached writes", () => {
  it.effect("begin at once, and go on when nobody waits for them any more", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const { begin } = yield* inScope(nothing)
      const write = Effect.gen(function* () {
        done.push("begun")
        yield* Effect.sleep("1 second")
        done.push("written")
      })
      const waiting = yield* Effect.forkChild(begin(write), { startImmediately: true })
      assert.deepEqual(done, ["begun"])
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 second")
      assert.deepEqual(done, ["begun", "written"])
    })
  )

  it.effect("tell what came of them", () =>
    Effect.gen(function* () {
      const { begin } = yield* inScope(nothing)
      assert.strictEqual(yield* Effect.flip(begin(Effect.fail("full"))), "full")
    })
  )

  it.effect("are tried once more at a stop, which a failure does not disturb", () =>
    Effect.gen(function* () {
      let tries = 0
      const { close } = yield* inScope(() =>
        Effect.suspend(() => {
          tries++
          return Effect.fail("full")
        })
      )
      assert.isTrue(Exit.isSuccess(yield* close))
      assert.strictEqual(tries, 1)
    })
  )

  it.effect("are waited for at a stop, the one under way and what is owed then, for 5 s in all", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const slow = (name: string) =>
        Effect.delay(
          Effect.sync(() => void done.push(name)),
          "3 seconds"
        )
      const { begin, close } = yield* inScope(() => slow("owed"))
      yield* Effect.forkChild(begin(slow("under way")), { startImmediately: true })
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      yield* TestClock.adjust(4_999)
      yield* settle
      assert.isUndefined(closing.pollUnsafe())
      assert.deepEqual(done, ["under way"])
      yield* TestClock.adjust(1)
      yield* settle
      assert.isDefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepEqual(done, ["under way", "owed"], "it goes on as long as the process does")
    })
  )
})
