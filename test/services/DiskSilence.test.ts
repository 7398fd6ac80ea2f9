/** How long a node waits for a disk that may be dead: `DESIGN.md`, "The life of a node", 1 and 2. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { DiskSilence, impatient, listenedTo, whileDiskAnswers } from "../../src/services/DiskSilence.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { settle } from "../support/live.ts"
import { recordedLogs } from "../support/recordedLogs.ts"

const bytes = new Uint8Array([1])

const listening = () => {
  const virtual = VirtualDisk.make()
  virtual.hand.write("/p/a", bytes)
  return { ...virtual, ...listenedTo(virtual.disk) }
}

const begin = <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.forkChild(work, { startImmediately: true })

const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settle)

const hasEnded = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined

describe("the silence of a disk", () => {
  it.effect("comes when a call has had no answer for two seconds, not for a moment less", () =>
    Effect.gen(function* () {
      const { disk, silence, become } = listening()
      become({ isStuck: true })
      yield* begin(disk.read("/p/a", 10))
      const silent = yield* begin(silence)
      yield* pass(1_999)
      assert.isFalse(hasEnded(silent))
      yield* pass(1)
      assert.isTrue(hasEnded(silent))
    })
  )

  it.effect("never comes of a disk that is slow, nor of one that is asked nothing", () =>
    Effect.gen(function* () {
      const { disk, silence, become } = listening()
      const silent = yield* begin(silence)
      yield* pass(60_000)
      become({ slowMs: 1_900 })
      yield* begin(Effect.forever(disk.read("/p/a", 10)))
      yield* begin(Effect.forever(Effect.ignore(disk.stat("/p/none"))))
      for (let n = 0; n < 600; n++) yield* pass(100)
      assert.isFalse(hasEnded(silent))
    })
  )

  it.effect("is known to who asks next, until any call has an answer", () =>
    Effect.gen(function* () {
      const { disk, silence, become } = listening()
      become({ isStuck: true })
      yield* begin(disk.read("/p/a", 10))
      yield* begin(silence)
      yield* pass(2_000)
      const next = yield* begin(silence)
      yield* pass(250)
      assert.isTrue(hasEnded(next))
      become({})
      yield* settle
      become({ isStuck: true })
      yield* begin(disk.read("/p/a", 10))
      const afterwards = yield* begin(silence)
      yield* pass(1_999)
      assert.isFalse(hasEnded(afterwards))
      yield* pass(1)
      assert.isTrue(hasEnded(afterwards))
    })
  )

  it.effect("is heard of every call, those to an open file too; a call that is broken off is no answer", () =>
    Effect.gen(function* () {
      const { disk, become, silence } = listening()
      const file = yield* disk.create("/p/b", 0o600)
      const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        disk.read("/p/a", 10),
        disk.stat("/p/a"),
        disk.list("/p"),
        disk.makeFolder("/p/c"),
        disk.create("/p/c", 0o600),
        disk.rename("/p/a", "/p/d"),
        disk.link("/p/a", "/p/e"),
        disk.remove("/p/a"),
        disk.syncFolder("/p"),
        file.write(bytes),
        file.sync,
        file.close
      ]
      for (const call of calls) {
        become({})
        yield* disk.stat("/p").pipe(Effect.ignore)
        become({ isStuck: true })
        const broken = yield* begin(disk.list("/p"))
        const asked = yield* begin(call)
        const silent = yield* begin(silence)
        yield* pass(1_000)
        yield* Fiber.interrupt(broken)
        yield* pass(2_250)
        assert.isTrue(hasEnded(silent))
        yield* Fiber.interrupt(asked)
        const next = yield* begin(silence)
        yield* begin(disk.list("/p"))
        yield* pass(500)
        assert.isTrue(hasEnded(next), "still silent")
      }
    })
  )
})

describe("who waits for a disk only while it answers", () => {
  const silent = Layer.succeed(DiskSilence, Effect.sleep("2 seconds"))

  it.effect("gets what comes in time", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* whileDiskAnswers(Effect.succeed(1)), Option.some(1))
      const soon = yield* begin(whileDiskAnswers(Effect.delay(Effect.succeed(2), "1 second")))
      yield* pass(1_000)
      assert.deepEqual(yield* Fiber.join(soon), Option.some(2))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(whileDiskAnswers(Effect.die("bug")))))
    }).pipe(Effect.provide(silent))
  )

  it.effect("goes on without what does not; that is done wholly when the disk answers", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<void>()
      const done: Array<string> = []
      const work = Effect.gen(function* () {
        yield* Deferred.await(answer)
        done.push("first half")
        yield* Effect.sleep("1 second")
        done.push("second half")
      })
      const waiting = yield* begin(whileDiskAnswers(work))
      yield* pass(2_000)
      assert.deepEqual(yield* Fiber.join(waiting), Option.none())
      yield* pass(60_000)
      yield* Deferred.succeed(answer, undefined)
      yield* pass(1_000)
      assert.deepEqual(done, ["first half", "second half"])
    }).pipe(Effect.provide(silent))
  )

  it.effect("does not wait at the end either; what is under way then ends where it can", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<void>()
      const done: Array<string> = []
      const scope = yield* Scope.make()
      const work = Effect.andThen(
        Effect.uninterruptible(Effect.map(Deferred.await(answer), () => done.push("the call"))),
        Effect.sync(() => done.push("what comes after it"))
      )
      const waiting = yield* begin(whileDiskAnswers(work).pipe(Scope.provide(scope)))
      yield* pass(2_000)
      yield* Fiber.join(waiting)
      const closing = yield* begin(Scope.close(scope, Exit.void))
      yield* settle
      assert.isTrue(hasEnded(closing))
      yield* Deferred.succeed(answer, undefined)
      yield* settle
      assert.deepEqual(done, ["the call"])
    }).pipe(Effect.provide(silent))
  )

  it.effect("hears in the log of a defect of what nobody waits for", () => {
    const logs = recordedLogs()
    return Effect.gen(function* () {
      const late = Effect.andThen(Effect.sleep("1 minute"), Effect.die(new Error("late bug")))
      const waiting = yield* begin(whileDiskAnswers(late))
      yield* pass(2_000)
      yield* Fiber.join(waiting)
      yield* pass(60_000)
      const [told] = logs.of("what had waited for the disk failed")
      assert.include(String(told?.cause), "late bug")
      assert.lengthOf(logs.lines, 1)
    }).pipe(Effect.provide([silent, logs.layer]))
  })
})

describe("an impatient view of a disk", () => {
  it.effect("refuses a look once the disk is silent, and waits on for what changes something", () =>
    Effect.gen(function* () {
      const { become, hand, ...listened } = listening()
      const disk = impatient(listened.disk, listened.silence)
      assert.deepEqual((yield* disk.read("/p/a", 10)).bytes, bytes)
      assert.strictEqual((yield* Effect.flip(disk.stat("/p/none"))).code, "ENOENT")
      become({ isStuck: true })
      const removal = yield* begin(disk.remove("/p/a"))
      const looks = [disk.read("/p/a", 10), disk.stat("/p/a"), disk.list("/p")]
      const refused = yield* Effect.forEach(looks, (look) => begin(Effect.flip(look as Effect.Effect<never, never>)))
      yield* pass(2_000)
      for (const fiber of refused) assert.include(yield* Fiber.join(fiber), { code: "ETIMEDOUT" })
      yield* pass(60_000)
      assert.isFalse(hasEnded(removal))
      become({})
      yield* Fiber.join(removal)
      assert.isUndefined(hand.read("/p/a"))
    }).pipe(Effect.provide(Logger.layer([])))
  )
})
