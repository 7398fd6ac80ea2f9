import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, MutableRef, Ref, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as SlidingConfigReceiver from "../../src/layers/SlidingConfigReceiver.ts"
import { Compression } from "../../src/services/Compression.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { ConfigReceiver } from "../../src/services/ConfigReceiver.ts"
import { Heartbeat } from "../../src/services/Heartbeat.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import type { RungAnswer } from "../../src/services/Rung.ts"
import { liveLayer, memoryCache, settle } from "../support/live.ts"
import { deepText, table } from "../support/tables.ts"

/** Payloads are plain JSON here: gzip has its own tests, and a thread pool would escape the virtual clock. */
const plain = Layer.succeed(Compression, { gzip: Effect.succeed, gunzip: Effect.succeed })

const encode = (message: unknown) => new TextEncoder().encode(JSON.stringify(message))
const noFile = Effect.succeed<RungAnswer>({ _tag: "Nothing", reason: "no file" })
const push = (digit: string, path = "/a", more: object = {}) =>
  encode({ type: "reconfigure", config_hash: digit.repeat(32), config_table: { ...table(path), ...more } })

const setup = Effect.gen(function* () {
  const cache = yield* memoryCache
  const events = yield* Ref.make<ReadonlyArray<string>>([])
  const heartbeat = Layer.succeed(Heartbeat, {
    beat: () => Effect.never,
    watch: () => Effect.never,
    announce: Ref.update(events, (all) => [...all, "announce"])
  })
  const recording = Layer.effect(
    ConfigCache,
    Effect.gen(function* () {
      const inner = yield* ConfigCache
      const live = yield* LiveConfig
      const write: typeof inner.write = Effect.fnUntraced(function* (snapshot) {
        const { hash } = yield* SubscriptionRef.get(live.state)
        yield* Ref.update(events, (all) => [...all, `persist while ${hash[0]} serves`])
        yield* inner.write(snapshot)
      })
      return { ...inner, write }
    })
  ).pipe(Layer.provide(cache.layer))
  const base = Layer.mergeAll(liveLayer, NodeHealth.layer, plain, heartbeat)
  const context = yield* Layer.build(
    SlidingConfigReceiver.layer.pipe(Layer.provide(recording), Layer.provideMerge(base))
  )
  return { cache, events, context }
})

describe("receiving configurations", () => {
  it.effect("swaps, persists, announces: in that order", () =>
    Effect.gen(function* () {
      const { context, events } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      yield* receiver.receive(push("1"))
      yield* settle
      const { state } = yield* LiveConfig.pipe(Effect.provide(context))
      assert.strictEqual((yield* SubscriptionRef.get(state)).hash, "1".repeat(32))
      assert.deepEqual(yield* Ref.get(events), ["persist while 1 serves", "announce"])
    })
  )

  it.effect("applies only the newest of what came while it was busy", () =>
    Effect.gen(function* () {
      const { context, cache } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      for (const digit of ["1", "2", "3", "4"]) yield* receiver.receive(push(digit))
      yield* settle
      const hashes = (yield* Ref.get(cache.written)).map(({ hash }) => hash[0])
      assert.strictEqual(hashes.at(-1), "4")
      assert.isAtMost(hashes.length, 2)
    })
  )

  it.effect("keeps the running configuration when a payload is unreadable or invalid, and goes on", () =>
    Effect.gen(function* () {
      const { context } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      const live = yield* LiveConfig.pipe(Effect.provide(context))
      for (const bad of [
        encode("nonsense"),
        new Uint8Array([1, 2, 3]),
        push("6", "/a", { plugins: [{ name: "acl" }] })
      ]) {
        yield* receiver.receive(push("5"))
        yield* settle
        yield* receiver.receive(bad)
        yield* settle
        const { hash, lastRejection } = yield* SubscriptionRef.get(live.state)
        assert.strictEqual(hash, "5".repeat(32))
        assert.isDefined(lastRejection)
      }
      yield* receiver.receive(push("7", "/b"))
      yield* settle
      assert.strictEqual((yield* SubscriptionRef.get(live.state)).hash, "7".repeat(32))
    })
  )

  it.effect("does not try again what the same bytes would fail again", () =>
    Effect.gen(function* () {
      const { context } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      const live = yield* LiveConfig.pipe(Effect.provide(context))
      const bad = push("6", "/a", { plugins: [{ name: "acl" }] })
      yield* receiver.receive(bad)
      yield* settle
      const first = (yield* SubscriptionRef.get(live.state)).lastRejection
      yield* TestClock.adjust("1 minute")
      yield* receiver.receive(bad)
      yield* settle
      assert.strictEqual((yield* SubscriptionRef.get(live.state)).lastRejection, first)
    })
  )

  it.effect("refuses once what it can't even process", () =>
    Effect.gen(function* () {
      const { context, events } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      const live = yield* LiveConfig.pipe(Effect.provide(context))
      const deep = new TextEncoder().encode(
        `{"type":"reconfigure","config_table":{"_format_version":"3.0","keys":[${deepText}]}}`
      )
      yield* receiver.receive(deep)
      yield* settle
      const first = (yield* SubscriptionRef.get(live.state)).lastRejection
      assert.match(first?.reasons.join() ?? "", /can't be processed/)
      yield* TestClock.adjust("1 minute")
      yield* receiver.receive(deep)
      yield* settle
      assert.strictEqual((yield* SubscriptionRef.get(live.state)).lastRejection, first)
      assert.deepEqual(yield* Ref.get(events), [])
    })
  )

  it.effect("serves and announces what can't be cached, and caches it once the disk allows", () =>
    Effect.gen(function* () {
      const { context, cache, events } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      const health = yield* NodeHealth.pipe(Effect.provide(context))
      yield* Ref.set(cache.failures, 3)
      yield* receiver.receive(push("1"))
      yield* settle
      assert.strictEqual((yield* Ref.get(events)).at(-1), "announce")
      assert.strictEqual(MutableRef.get(health.cacheProblem), "disk full")
      yield* TestClock.adjust("10 seconds")
      yield* settle
      assert.deepEqual(
        (yield* Ref.get(cache.written)).map(({ hash }) => hash[0]),
        ["1"]
      )
      assert.isUndefined(MutableRef.get(health.cacheProblem))
    })
  )

  it.effect("gives up caching a configuration once a newer one has taken its place", () =>
    Effect.gen(function* () {
      const { context, cache } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      yield* Ref.set(cache.failures, 1)
      yield* receiver.receive(push("1"))
      yield* settle
      yield* receiver.receive(push("2"))
      yield* settle
      yield* TestClock.adjust("1 hour")
      yield* settle
      assert.deepEqual(
        (yield* Ref.get(cache.written)).map(({ hash }) => hash[0]),
        ["2"]
      )
    })
  )

  it.effect(
    "writes the cache again when somebody changed or removed it, even if nothing new came (resilience.md §4)",
    () =>
      Effect.gen(function* () {
        const { context, cache } = yield* setup
        const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
        const written = Effect.map(Ref.get(cache.written), (all) => all.length)
        for (const [state, expected] of [
          ["own", 1],
          ["own", 1],
          ["foreign", 2],
          ["known", 3],
          ["absent", 4]
        ] as const) {
          yield* Ref.set(cache.state, state)
          yield* receiver.receive(push("1"))
          yield* settle
          assert.strictEqual(yield* written, expected)
        }
      })
  )

  it.effect("does not write late what no longer serves", () =>
    Effect.gen(function* () {
      const { context, cache } = yield* setup
      const receiver = yield* ConfigReceiver.pipe(Effect.provide(context))
      const live = yield* LiveConfig.pipe(Effect.provide(context))
      yield* Ref.set(cache.failures, 1)
      yield* receiver.receive(push("1"))
      yield* settle
      const { acceptedCount: after } = yield* SubscriptionRef.get(live.state)
      yield* live.apply({ raw: table("/d"), source: "disk", hash: "d".repeat(32), receivedAtMs: 1, byHand: { after } })
      yield* TestClock.adjust("1 hour")
      yield* settle
      assert.deepEqual(yield* Ref.get(cache.written), [])
    })
  )

  it.effect("serves and announces on while the disk never answers, and writes the newest once it does", () =>
    Effect.gen(function* () {
      const answered = yield* Deferred.make<void>()
      const written = yield* Ref.make<ReadonlyArray<string>>([])
      const announced = yield* Ref.make(0)
      const cache = Layer.succeed(ConfigCache, {
        source: "disk",
        offer: noFile,
        write: ({ hash }) =>
          Deferred.await(answered).pipe(
            Effect.andThen(Ref.update(written, (all) => [...all, hash.slice(0, 1)])),
            Effect.uninterruptible
          ),
        byHand: {
          file: "dead",
          adopt: Effect.void,
          state: Effect.as(Deferred.await(answered), "own" as const),
          offer: noFile
        }
      })
      const heartbeat = Layer.succeed(Heartbeat, {
        beat: () => Effect.never,
        watch: () => Effect.never,
        announce: Ref.update(announced, (count) => count + 1)
      })
      yield* Effect.gen(function* () {
        const receiver = yield* ConfigReceiver
        const live = yield* LiveConfig
        const health = yield* NodeHealth
        for (const [index, digit] of ["1", "2", "3", "3"].entries()) {
          yield* receiver.receive(push(digit))
          yield* settle
          assert.strictEqual((yield* SubscriptionRef.get(live.state)).hash, digit.repeat(32))
          yield* TestClock.adjust("5 seconds")
          yield* settle
          assert.strictEqual(yield* Ref.get(announced), index + 1)
          assert.strictEqual(MutableRef.get(health.cacheProblem), "still being written")
        }
        yield* Deferred.succeed(answered, undefined)
        yield* settle
        assert.deepEqual(yield* Ref.get(written), ["1", "3"])
        assert.isUndefined(MutableRef.get(health.cacheProblem))
      }).pipe(
        // A failed expectation must not leave the write hanging, which the scope waits for.
        Effect.onExit(() => Deferred.succeed(answered, undefined)),
        Effect.provide(
          SlidingConfigReceiver.layer.pipe(
            Layer.provideMerge(Layer.mergeAll(cache, heartbeat, liveLayer, NodeHealth.layer, plain))
          )
        )
      )
    })
  )

  it.effect("survives a defect of the cache", () =>
    Effect.gen(function* () {
      const broken = yield* Deferred.make<void>()
      const cache = Layer.succeed(ConfigCache, {
        source: "disk",
        offer: noFile,
        write: () => Effect.andThen(Deferred.succeed(broken, undefined), Effect.die("bug"))
      })
      const heartbeat = Layer.succeed(Heartbeat, {
        beat: () => Effect.never,
        watch: () => Effect.never,
        announce: Effect.void
      })
      yield* Effect.gen(function* () {
        const receiver = yield* ConfigReceiver
        const live = yield* LiveConfig
        yield* receiver.receive(push("1"))
        yield* settle
        yield* receiver.receive(push("2"))
        yield* settle
        assert.strictEqual((yield* SubscriptionRef.get(live.state)).hash, "2".repeat(32))
      }).pipe(
        Effect.provide(
          SlidingConfigReceiver.layer.pipe(
            Layer.provideMerge(Layer.mergeAll(cache, heartbeat, liveLayer, NodeHealth.layer, plain))
          )
        )
      )
    })
  )
})
