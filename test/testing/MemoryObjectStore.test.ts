/** The twin of a bucket: an ObjectStore, and one that does what a test tells it (`resilience.md` §5). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Expectation, ObjectStore } from "../../src/services/ObjectStore.ts"
import { make, type StoreFault } from "../../src/testing/MemoryObjectStore.ts"
import { bytesOf } from "../conformance/disk.ts"
import { objectStoreConformance, textAt, troubleOf } from "../conformance/objectStore.ts"

const shared = make()
objectStoreConformance("the twin", (prefix) => Effect.succeed(shared.client({ prefix })))

const put = (store: ObjectStore, text: string, expects: Expectation = { _tag: "Nothing" }) =>
  store.write("a", { bytes: bytesOf(text), contentType: "application/json", expects })

const bad = (fault: StoreFault) => {
  const bucket = make()
  const store = bucket.client({ name: "node" })
  return {
    bucket,
    store,
    become: () => bucket.become({ faultOf: ({ client }) => (client === "node" ? fault : undefined) })
  }
}

describe("the twin's faults", () => {
  it.effect("fail with what they are told, and leave the bucket alone", () =>
    Effect.gen(function* () {
      for (const trouble of ["denied", "misconfigured", "unavailable"] as const) {
        const { bucket, store, become } = bad({ _tag: "Fails", trouble })
        become()
        assert.strictEqual(yield* troubleOf(put(store, "one")), trouble)
        assert.strictEqual(yield* troubleOf(store.read("a", 10)), trouble)
        assert.deepStrictEqual(bucket.hand.paths(), [])
        assert.isUndefined(yield* bucket.client({ name: "other" }).read("a", 10))
      }
    })
  )

  it.effect("write, and lose the answer", () =>
    Effect.gen(function* () {
      const { bucket, store, become } = bad({ _tag: "LosesAnswer" })
      become()
      assert.strictEqual(yield* troubleOf(put(store, "one")), "unavailable")
      bucket.become({})
      assert.strictEqual(yield* textAt(store, "a"), "one")
    })
  )

  it.effect("take their time, on the caller's clock; whoever is interrupted after the deed has written", () =>
    Effect.gen(function* () {
      const { bucket, store, become } = bad({ _tag: "Slow", beforeMs: 1_000, afterMs: 1_000 })
      become()
      const writing = yield* Effect.forkChild(put(store, "one"), { startImmediately: true })
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(bucket.hand.paths(), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(bucket.hand.paths(), ["a"])
      assert.isUndefined(writing.pollUnsafe())
      yield* Fiber.interrupt(writing)
      assert.deepStrictEqual(bucket.hand.paths(), ["a"])
    })
  )

  it.effect("lie to a reader, who finds less, something else or something older", () =>
    Effect.gen(function* () {
      const { bucket, store } = bad({ _tag: "LosesAnswer" })
      yield* put(store, "one")
      yield* put(store, "other", { _tag: "Anything" })
      bucket.become({ faultOf: () => ({ _tag: "Lies", as: (bytes) => bytes.subarray(0, 2) }) })
      assert.strictEqual(yield* textAt(store, "a"), "ot")
      bucket.become({ faultOf: () => ({ _tag: "Lies", as: (bytes) => bytes.fill(33) }) })
      assert.strictEqual(yield* textAt(store, "a"), "!!!!!")
      bucket.become({ faultOf: () => ({ _tag: "Stale" }) })
      assert.strictEqual(yield* textAt(store, "a"), "one")
      bucket.become({})
      assert.strictEqual(yield* textAt(store, "a"), "other")
    })
  )

  it.effect("know no conditions: refused aloud, or ignored in silence", () =>
    Effect.gen(function* () {
      const bucket = make()
      const store = bucket.client()
      yield* put(store, "one")
      bucket.become({ expectations: "refused" })
      assert.strictEqual(yield* troubleOf(put(store, "two")), "unsupported")
      yield* put(store, "two", { _tag: "Anything" })
      bucket.become({ expectations: "ignored" })
      yield* put(store, "three")
      assert.strictEqual(yield* textAt(store, "a"), "three")
    })
  )

  it.effect("count every call, and say whose it was", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* put(bucket.client({ name: "one", prefix: "p" }), "x")
      yield* bucket.client({ name: "two" }).read("p/a", 10)
      assert.deepStrictEqual(bucket.calls(), [
        { n: 1, client: "one", operation: "write", path: "p/a" },
        { n: 2, client: "two", operation: "read", path: "p/a" }
      ])
    })
  )
})
