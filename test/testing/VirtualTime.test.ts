import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Clock, Effect, Exit, Fiber, Queue, Random, Schema } from "effect"
import { runVirtual, virtually } from "../../src/testing/runVirtual.ts"
import { makeTimerHeap, notInHeap, type Timer } from "../../src/testing/TimerHeap.ts"
import { VirtualTime, VirtualTimeStopped } from "../../src/testing/VirtualTime.ts"
import { propertyRuns } from "../support/propertyRuns.ts"

const dayMs = 86_400_000

const stoppedBy = async (run: Promise<unknown>): Promise<VirtualTimeStopped> => {
  try {
    await run
  } catch (error) {
    if (error instanceof VirtualTimeStopped) return error
    throw error
  }
  throw new Error("expected virtual time to stop")
}

describe("virtual time", () => {
  it("takes no real time for a virtual day, and tells the right time meanwhile", async () => {
    const startMs = Date.UTC(2030, 5, 1)
    const seen = await runVirtual(
      Effect.gen(function* () {
        const before = yield* Clock.currentTimeMillis
        const nanosBefore = yield* Clock.monotonicTimeNanos
        yield* Effect.sleep("1 day")
        return [before, (yield* Clock.currentTimeMillis) - before, (yield* Clock.monotonicTimeNanos) - nanosBefore]
      }),
      { startMs }
    )
    assert.deepStrictEqual(seen, [startMs, dayMs, BigInt(dayMs) * 1_000_000n])
  })

  it("wakes sleepers by their time, and those of one instant in the order in which they fell asleep", async () => {
    const order = await runVirtual(
      Effect.gen(function* () {
        const woken: Array<string> = []
        const sleeper = (name: string, ms: number) =>
          Effect.andThen(
            Effect.sleep(ms),
            Effect.sync(() => woken.push(name))
          )
        yield* Effect.all([sleeper("c", 30), sleeper("a1", 10), sleeper("b", 20), sleeper("a2", 10)], {
          concurrency: "unbounded"
        })
        return woken
      })
    )
    assert.deepStrictEqual(order, ["a1", "a2", "b", "c"])
  })

  it("forgets the timers of whoever was interrupted", async () => {
    const pending = await runVirtual(
      Effect.gen(function* () {
        const time = yield* VirtualTime
        const sleeping = yield* Effect.forkChild(Effect.sleep("1 hour"), { startImmediately: true })
        const during = time.clock.pendingTimers()
        yield* Fiber.interrupt(sleeping)
        return [during, time.clock.pendingTimers(), time.counts().timersPending]
      })
    )
    assert.deepStrictEqual(pending, [1, 0, 0])
  })

  it("gives the same steps for the same seed, and others for another", async () => {
    const draw = (seed: number) =>
      runVirtual(
        Effect.gen(function* () {
          const seen: Array<string> = []
          const worker = (name: string) =>
            Effect.gen(function* () {
              for (let turn = 0; turn < 20; turn++) {
                yield* Effect.sleep(yield* Random.nextBetween(0, 100))
                seen.push(`${name}${turn}@${yield* Clock.monotonicTimeNanos}`)
              }
            })
          yield* Effect.forEach(["a", "b", "c"], worker, { concurrency: "unbounded" })
          return seen.join()
        }),
        { seed }
      )
    assert.strictEqual(await draw(1), await draw(1))
    assert.notStrictEqual(await draw(1), await draw(2))
  })

  it("lets the real event loop have its turns without changing any order", async () => {
    const ticking = (turnMs: number) =>
      runVirtual(
        Effect.gen(function* () {
          const seen: Array<number> = []
          for (let turn = 0; turn < 5_000; turn++) {
            yield* Effect.sleep(yield* Random.nextBetween(0, 10))
            seen.push(yield* Random.next)
          }
          return seen.join()
        }),
        { turnMs }
      )
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    const often = await ticking(0)
    clearInterval(timer)
    assert.isAbove(turns, 0)
    assert.strictEqual(often, await ticking(1_000))
  })

  it("fails as the effect fails, and runs finalizers in virtual time", async () => {
    const finalized: Array<number> = []
    const exit = await Effect.runPromiseExit(
      virtually(
        Effect.gen(function* () {
          const time = yield* VirtualTime
          yield* Effect.addFinalizer(() =>
            Effect.andThen(
              Effect.sleep("1 minute"),
              Effect.sync(() => finalized.push(time.nowMs()))
            )
          )
          return yield* Effect.fail("broken")
        })
      )
    )
    assert.isTrue(Exit.isFailure(exit))
    assert.deepStrictEqual(finalized, [60_000])
  })

  it.effect("runs within a test of Effect's, beside its test clock", () =>
    Effect.gen(function* () {
      const outside = yield* Clock.currentTimeMillis
      const inside = yield* virtually(Effect.andThen(Effect.sleep("1 hour"), Clock.monotonicTimeNanos))
      assert.strictEqual(inside, 3_600_000_000_000n)
      assert.strictEqual(yield* Clock.currentTimeMillis, outside)
    })
  )

  it("is interrupted from outside with what runs within", async () => {
    let isFinalized = false
    const fiber = Effect.runFork(
      virtually(
        Effect.forever(Effect.sleep(1)).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              isFinalized = true
            })
          )
        ),
        { turnMs: 1 }
      )
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    await Effect.runPromise(Fiber.interrupt(fiber))
    assert.isTrue(isFinalized)
  })
})

describe("virtual time says why it can't go on", () => {
  it("when a promise wakes a fiber", async () => {
    const waiting = Effect.andThen(
      Effect.promise(() => Promise.resolve(1)),
      Effect.sleep(1)
    )
    const stopped = await stoppedBy(runVirtual(waiting))
    assert.strictEqual(stopped.reason, "leak")
    assert.include(stopped.message, "something real")
  })

  it("when a promise wakes a fiber beside one that goes on in virtual time", async () => {
    const both = Effect.all([Effect.promise(() => Promise.resolve(1)), Effect.forever(Effect.sleep(1))], {
      concurrency: "unbounded"
    })
    assert.strictEqual((await stoppedBy(runVirtual(both, { turnMs: 1 }))).reason, "leak")
  })

  it("when nobody will ever wake it", async () => {
    const stopped = await stoppedBy(runVirtual(Effect.andThen(Effect.sleep("2 seconds"), Effect.never)))
    assert.strictEqual(stopped.reason, "standstill")
    assert.strictEqual(stopped.atMs, 2_000)
    assert.include(stopped.message, "2.000 s")
  })

  it("when a program never lets time go on", async () => {
    const busy = Effect.andThen(Effect.sleep(5), Effect.forever(Effect.yieldNow))
    const stopped = await stoppedBy(runVirtual(busy, { stepsMax: 10_000 }))
    assert.strictEqual(stopped.reason, "livelock")
    assert.strictEqual(stopped.atMs, 5)
  })

  it("when it goes on for longer than it was to", async () => {
    const endless = Effect.forever(Effect.sleep("1 minute"))
    assert.strictEqual((await stoppedBy(runVirtual(endless, { limitMs: 3_600_000 }))).reason, "limit")
  })

  it("and a callback that throws is a defect", async () => {
    const broken = Effect.gen(function* () {
      const time = yield* VirtualTime
      time.after(10, () => {
        throw new Error("a bug in the world")
      })
      yield* Effect.sleep("1 hour")
    })
    const exit = await Effect.runPromiseExit(virtually(broken))
    assert.include(String(exit), "a bug in the world")
  })
})

describe("the clock of one node", () => {
  it("jumps and drifts on the wall, and not in its timers", async () => {
    const seen = await runVirtual(
      Effect.gen(function* () {
        const time = yield* VirtualTime
        const clock = time.makeClock({ wallOffsetMs: 5_000, driftPpm: 1_000_000 })
        const woken = yield* Queue.unbounded<number>()
        yield* Effect.sleep(10_000).pipe(
          Effect.andThen(Effect.suspend(() => Queue.offer(woken, time.nowMs()))),
          Effect.provideService(Clock.Clock, clock),
          Effect.forkChild({ startImmediately: true })
        )
        clock.jump(dayMs)
        yield* Effect.sleep(4_000)
        clock.jump(-2 * dayMs)
        const at = yield* Queue.take(woken)
        return [at, clock.currentTimeMillisUnsafe() - time.startMs]
      })
    )
    assert.deepStrictEqual(seen, [10_000, 10_000 + 5_000 - dayMs + 10_000])
  })

  it("stands still while it is suspended: timers keep the rest of their time, and nothing fires in a burst", async () => {
    const seen = await runVirtual(
      Effect.gen(function* () {
        const time = yield* VirtualTime
        const clock = time.makeClock()
        const fired: Array<readonly [number, number]> = []
        const sleeper = (ms: number) =>
          Effect.sleep(ms).pipe(
            Effect.andThen(Effect.sync(() => fired.push([ms, time.nowMs()]))),
            Effect.provideService(Clock.Clock, clock),
            Effect.forkChild({ startImmediately: true })
          )
        yield* sleeper(10_000)
        yield* sleeper(20_000)
        yield* sleeper(100_000)
        yield* Effect.sleep(5_000)
        clock.suspend()
        yield* Effect.sleep(60_000)
        const during = [clock.monotonicMs(), clock.currentTimeMillisUnsafe() - time.startMs, fired.length]
        clock.resume()
        yield* Effect.sleep(200_000)
        return { during, fired, pending: clock.pendingTimers() }
      })
    )
    assert.deepStrictEqual(seen, {
      during: [5_000, 65_000, 0],
      fired: [
        [10_000, 70_000],
        [20_000, 80_000],
        [100_000, 160_000]
      ],
      pending: 0
    })
  })

  it("lets go of a timer that is cancelled while it is suspended", async () => {
    const seen = await runVirtual(
      Effect.gen(function* () {
        const time = yield* VirtualTime
        const clock = time.makeClock()
        let isFired = false
        const sleeping = yield* Effect.sleep(1_000).pipe(
          Effect.andThen(
            Effect.sync(() => {
              isFired = true
            })
          ),
          Effect.provideService(Clock.Clock, clock),
          Effect.forkChild({ startImmediately: true })
        )
        clock.suspend()
        yield* Effect.sleep(5_000)
        yield* Fiber.interrupt(sleeping)
        clock.resume()
        yield* Effect.sleep(60_000)
        return [isFired, clock.pendingTimers()]
      })
    )
    assert.deepStrictEqual(seen, [false, 0])
  })

  it("fires nothing once it is killed", async () => {
    const fired = await runVirtual(
      Effect.gen(function* () {
        const time = yield* VirtualTime
        const clock = time.makeClock()
        const seen: Array<string> = []
        yield* Effect.sleep(1_000).pipe(
          Effect.andThen(Effect.sync(() => seen.push("timer"))),
          Effect.provideService(Clock.Clock, clock),
          Effect.forkChild({ startImmediately: true })
        )
        clock.kill()
        clock.whenAwake(() => seen.push("delivery"))
        yield* Effect.sleep(60_000)
        return seen
      })
    )
    assert.deepStrictEqual(fired, [])
  })
})

const Step = Schema.Union([
  Schema.Struct({ do: Schema.tag("add"), dueMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50 })) }),
  Schema.Struct({ do: Schema.tag("remove"), which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })) }),
  Schema.Struct({ do: Schema.tag("take") })
])

describe("the timer heap", () => {
  it.effect.prop(
    "gives what a sorted list would give, whatever is added and removed",
    [Arbitrary.array(Arbitrary.schema(Step), { maxLength: 80 })],
    ([steps]) =>
      Effect.sync(() => {
        const heap = makeTimerHeap()
        let model: Array<Timer> = []
        let sequence = 0
        for (const step of steps) {
          if (step.do === "add") {
            const timer: Timer = {
              dueMs: step.dueMs,
              sequence: sequence++,
              place: notInHeap,
              run: () => {},
              clock: undefined,
              pausedMs: 0,
              isOver: false
            }
            heap.add(timer)
            model.push(timer)
          } else {
            model.sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence)
            assert.strictEqual(heap.first(), model[0])
            const gone = step.do === "take" ? model[0] : model[step.which]
            if (gone === undefined) continue
            heap.remove(gone)
            assert.strictEqual(gone.place, notInHeap)
            model = model.filter((timer) => timer !== gone)
          }
          assert.strictEqual(heap.size(), model.length)
        }
      }),
    propertyRuns
  )
})
