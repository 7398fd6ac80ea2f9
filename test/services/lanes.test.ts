/** How much of a pool may hang at a time: `docs/architecture.md`, "A dead disk takes a part of the threads". */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { makeLanes } from "../../src/services/lanes.ts"
import { settle } from "../support/live.ts"

/** Works that begin when they may and end when they are told to. */
const makeWorks = () => {
  const begun: Array<string> = []
  const discarded: Array<string> = []
  const ends = new Map<string, () => void>()
  const inLane = makeLanes({ perLane: 2, inAll: 3 })
  const work = (lane: string, name: string) =>
    inLane(lane, {
      start: () => {
        begun.push(name)
        return new Promise<string>((done) => ends.set(name, () => done(name)))
      },
      discard: async (result) => void discarded.push(result)
    })
  const begin = (lane: string, name: string) => Effect.forkChild(work(lane, name), { startImmediately: true })
  const end = (name: string) =>
    Effect.andThen(
      Effect.promise(async () => ends.get(name)?.()),
      settle
    )
  return { begun, discarded, begin, end, inLane }
}

describe("lanes", () => {
  it.effect("let so many at a time in one lane, so many in all, and those first who wait longest", () =>
    Effect.gen(function* () {
      const { begun, begin, end } = makeWorks()
      for (const name of ["a1", "a2", "a3"]) yield* begin("a", name)
      assert.deepEqual(begun, ["a1", "a2"])
      for (const name of ["b1", "b2"]) yield* begin("b", name)
      assert.deepEqual(begun, ["a1", "a2", "b1"], "a full lane holds up no other, the limit of all does")
      yield* end("b1")
      assert.deepEqual(begun.slice(3), ["b2"], "a3 waits longer, and its lane is full")
      yield* end("a1")
      assert.deepEqual(begun.slice(4), ["a3"])
    })
  )

  it.effect("give the result, or what it was refused with", () =>
    Effect.gen(function* () {
      const { inLane, begin, end } = makeWorks()
      const fiber = yield* begin("a", "a1")
      yield* end("a1")
      assert.strictEqual(yield* Fiber.join(fiber), "a1")
      const refused = inLane("a", { start: () => Promise.reject(new Error("no")) })
      assert.strictEqual(String(yield* Effect.flip(refused)), "Error: no")
      const thrown = inLane("a", {
        start: () => {
          throw new Error("at once")
        }
      })
      for (let n = 0; n < 5; n++) assert.strictEqual(String(yield* Effect.flip(thrown)), "Error: at once")
    })
  )

  it.effect("never begin what was interrupted while it waited", () =>
    Effect.gen(function* () {
      const { begun, begin, end } = makeWorks()
      yield* begin("a", "a1")
      yield* begin("a", "a2")
      const fiber = yield* begin("a", "a3")
      yield* Fiber.interrupt(fiber)
      yield* begin("a", "a4")
      yield* end("a1")
      assert.deepEqual(begun, ["a1", "a2", "a4"])
    })
  )

  it.effect(
    "keep the place of what was interrupted under way until it has ended, and its result is put away first",
    () =>
      Effect.gen(function* () {
        const { begun, discarded, begin, end } = makeWorks()
        const fiber = yield* begin("a", "a1")
        yield* begin("a", "a2")
        yield* begin("a", "a3")
        yield* Fiber.interrupt(fiber)
        assert.deepEqual(begun, ["a1", "a2"])
        yield* end("a1")
        assert.deepEqual([discarded, begun], [["a1"], ["a1", "a2", "a3"]])
        yield* end("a2")
        assert.deepEqual(discarded, ["a1"], "what is waited for is not put away")
      })
  )

  it.live("are left also when a result can't be put away", () =>
    Effect.gen(function* () {
      const inLane = makeLanes({ perLane: 1, inAll: 1 })
      const late = yield* Deferred.make<string>()
      const fiber = yield* Effect.forkChild(
        inLane("a", {
          start: () => Effect.runPromise(Deferred.await(late)),
          discard: () => Promise.reject(new Error("no"))
        }),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(fiber)
      yield* Deferred.succeed(late, "late")
      assert.strictEqual(yield* inLane("a", { start: async () => "next" }), "next")
    })
  )
})
