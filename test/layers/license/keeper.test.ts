/**
 * Writes the licence that is kept apart: the newest, one write at a time, whatever the disk does (`docs/licences.md`, "Kept
 * apart"; `faults.md`, "licence state survives restart"). All on virtual time.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { makeKeeper } from "../../../src/layers/license/keeper.ts"
import { ConfigCacheError } from "../../../src/services/ConfigCache.ts"
import { settle } from "../../support/live.ts"
import { eventsInto, type LoggedEvent } from "../../support/logged.ts"

const file = "/prefix/license.kept"
const failing = Effect.fail(new ConfigCacheError({ operation: "write", file, message: "disk full", code: "ENOSPC" }))
const slowly = Effect.sleep("1 second")

/** A keeper that has nothing to do yet, in a scope that the test closes; `disk.answer` is how every write ends. */
const makeBench = Effect.gen(function* () {
  const events: Array<LoggedEvent> = []
  const disk = {
    begun: [] as Array<string>,
    written: [] as Array<string>,
    answer: Effect.void as Effect.Effect<void, ConfigCacheError>
  }
  const write = (text: string) =>
    Effect.suspend(() => {
      disk.begun.push(text)
      return Effect.andThen(
        disk.answer,
        Effect.sync(() => void disk.written.push(text))
      )
    })
  const logged = Effect.provide(Logger.layer([eventsInto(events)]))
  const scope = yield* Scope.fork(yield* Effect.scope)
  // What a test leaves unwritten must not hold up its end: the virtual clock stands still by then.
  yield* Effect.addFinalizer(() => Effect.sync(() => Object.assign(disk, { answer: Effect.void })))
  const keep = yield* logged(Scope.provide(makeKeeper({ file, read: Effect.undefined, write }), scope))
  yield* settle
  /** These come in one go. */
  const keepAll = (...texts: ReadonlyArray<string>) => Effect.andThen(Effect.forEach(texts, keep), settle)
  return { disk, events, keepAll, stop: logged(Scope.close(scope, Exit.void)) }
})

const pass = (duration: "1 second" | "59999 millis" | "1 millis" | "1 minute" | "1 hour") =>
  Effect.andThen(TestClock.adjust(duration), settle)

describe("the keeper of the licence", () => {
  it.effect("writes the newest, also what came while the one before was being written, and then rests", () =>
    Effect.gen(function* () {
      const { disk, events, keepAll } = yield* makeBench
      disk.answer = slowly
      yield* keepAll("a")
      yield* keepAll("b", "c")
      assert.deepStrictEqual(disk.begun, ["a"], "one at a time")
      yield* pass("1 second")
      yield* pass("1 second")
      yield* pass("1 hour")
      assert.deepStrictEqual(disk.begun, ["a", "c"])
      assert.deepStrictEqual(disk.written, ["a", "c"])
      assert.deepStrictEqual(events, [])
    })
  )

  it.effect("asks a disk that failed again after a minute, and at once when there is something newer", () =>
    Effect.gen(function* () {
      const { disk, keepAll } = yield* makeBench
      disk.answer = failing
      yield* keepAll("a")
      yield* pass("59999 millis")
      assert.deepStrictEqual(disk.begun, ["a"])
      yield* pass("1 millis")
      assert.deepStrictEqual(disk.begun, ["a", "a"])
      yield* keepAll("b")
      assert.deepStrictEqual(disk.begun, ["a", "a", "b"])
    })
  )

  it.effect("asks once more, however many came while the disk was failing", () =>
    Effect.gen(function* () {
      const { disk, keepAll } = yield* makeBench
      disk.answer = Effect.andThen(slowly, failing)
      yield* keepAll("a")
      yield* keepAll("b", "c", "d")
      yield* pass("1 second")
      yield* pass("1 second")
      yield* pass("1 second")
      assert.deepStrictEqual(disk.begun, ["a", "d"])
    })
  )

  it.effect("tells of a disk that fails once, and again when it has worked meanwhile", () =>
    Effect.gen(function* () {
      const { disk, events, keepAll } = yield* makeBench
      const told = {
        level: "warn",
        message: "licence can't be kept apart; trying again",
        fields: { file, cause: "disk full" }
      }
      disk.answer = failing
      yield* keepAll("a")
      yield* pass("1 minute")
      yield* pass("1 minute")
      assert.deepStrictEqual(events, [told])
      disk.answer = Effect.void
      yield* pass("1 minute")
      assert.deepStrictEqual(disk.written, ["a"])
      disk.answer = failing
      yield* keepAll("b")
      yield* pass("1 minute")
      assert.deepStrictEqual(events, [told, told])
    })
  )
})

describe("at the end of a life", () => {
  it.effect("a write that is under way is waited for, and not begun again", () =>
    Effect.gen(function* () {
      const { disk, keepAll, stop } = yield* makeBench
      disk.answer = slowly
      yield* keepAll("a")
      const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
      yield* settle
      assert.isUndefined(stopping.pollUnsafe())
      yield* pass("1 second")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(disk.begun, ["a"])
      assert.deepStrictEqual(disk.written, ["a"])
    })
  )

  it.effect("what a failing disk left is tried a last time", () =>
    Effect.gen(function* () {
      const { disk, keepAll, stop } = yield* makeBench
      disk.answer = failing
      yield* keepAll("a")
      disk.answer = Effect.void
      yield* stop
      assert.deepStrictEqual(disk.written, ["a"])
    })
  )
})
