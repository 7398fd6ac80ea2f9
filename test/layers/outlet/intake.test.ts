/** What becomes of a pushed configuration, through the real machine, receiver and LiveConfig (`hybrid-protocol-v1.md` §6). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, MutableRef, Ref, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { Compression, CompressionError } from "../../../src/services/Compression.ts"
import { ConfigCache } from "../../../src/services/ConfigCache.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../../src/services/NodeHealth.ts"
import type { RungAnswer } from "../../../src/services/Rung.ts"
import { settle } from "../../support/live.ts"
import { badPush, encode, type OutletNode, passSeconds, push, withNode } from "../../support/outletNode.ts"
import { deepText, table } from "../../support/tables.ts"

const servedDigit = Effect.gen(function* () {
  const { state } = yield* LiveConfig
  return (yield* SubscriptionRef.get(state)).hash.slice(0, 1)
})

const lastRejection = Effect.gen(function* () {
  const { state } = yield* LiveConfig
  return (yield* SubscriptionRef.get(state)).lastRejection
})

const writtenDigits = ({ cache }: OutletNode) =>
  Effect.map(Ref.get(cache.written), (all) => all.map(({ hash }) => hash.slice(0, 1)))

const announcedDigits = ({ network }: OutletNode) =>
  Effect.map(Ref.get(network.pings), (all) => all.map(([, hash]) => hash.slice(0, 1)))

const cacheProblem = Effect.map(NodeHealth, ({ cacheProblem }) => MutableRef.get(cacheProblem))

const noOffer = Effect.succeed<RungAnswer>({ _tag: "Nothing", reason: "nobody asks here" })

describe("receiving configurations", () => {
  it.effect("swaps, persists, announces: in that order", () =>
    Effect.gen(function* () {
      const events = yield* Ref.make<ReadonlyArray<string>>([])
      const mayWrite = yield* Deferred.make<void>()
      const cache = Layer.effect(
        ConfigCache,
        Effect.gen(function* () {
          const { state } = yield* LiveConfig
          const write = Effect.fnUntraced(function* () {
            const { hash } = yield* SubscriptionRef.get(state)
            yield* Ref.update(events, (all) => [...all, `persist while ${hash[0]} serves`])
            yield* Deferred.await(mayWrite)
          })
          return { source: "disk", offer: noOffer, write }
        })
      )
      yield* withNode(
        (node) =>
          Effect.gen(function* () {
            yield* node.receive(push("1"))
            assert.deepEqual(yield* Ref.get(events), ["persist while 1 serves"])
            assert.deepEqual(yield* announcedDigits(node), ["0"])
            yield* Deferred.succeed(mayWrite, undefined)
            yield* settle
            assert.deepEqual(yield* announcedDigits(node), ["0", "1"])
          }),
        { cache }
      )
    })
  )

  it.effect("applies only the newest of what came while it was busy", () =>
    withNode(
      (node) =>
        Effect.gen(function* () {
          const frames = ["1", "2", "3", "4"].map((digit) => ({ _tag: "Binary", bytes: push(digit) }) as const)
          yield* Effect.andThen(node.network.pushAll(frames), settle)
          yield* passSeconds(3)
          assert.strictEqual(yield* servedDigit, "4")
          assert.deepEqual(yield* writtenDigits(node), ["1", "4"])
          assert.deepEqual(yield* announcedDigits(node), ["0", "1", "4"])
        }),
      {
        compression: Layer.succeed(Compression, {
          gzip: Effect.succeed,
          gunzip: (bytes) => Effect.delay(Effect.succeed(bytes), "1 second")
        })
      }
    )
  )

  it.effect("keeps the running configuration when a payload is unreadable or invalid, and goes on", () =>
    withNode((node) =>
      Effect.gen(function* () {
        for (const bad of [encode("nonsense"), new Uint8Array([1, 2, 3]), badPush("6")]) {
          yield* node.receive(push("5"))
          yield* node.receive(bad)
          assert.strictEqual(yield* servedDigit, "5")
          assert.isDefined(yield* lastRejection)
        }
        yield* node.receive(push("7", "/b"))
        assert.strictEqual(yield* servedDigit, "7")
        assert.lengthOf(yield* Ref.get(node.network.dials), 1, "the session stays")
      })
    )
  )

  it.effect("ignores a message of an unknown type", () =>
    withNode((node) =>
      Effect.gen(function* () {
        yield* node.receive(encode({ type: "greetings" }))
        yield* node.receive(push("1"))
        assert.strictEqual(yield* servedDigit, "1")
        assert.isUndefined(yield* lastRejection)
      })
    )
  )

  it.effect("does not try again what would fail again, in the same bytes or exported anew", () =>
    withNode((node) =>
      Effect.gen(function* () {
        yield* node.receive(badPush("6"))
        const first = yield* lastRejection
        assert.isDefined(first)
        yield* TestClock.adjust("20 seconds")
        yield* node.receive(badPush("6"))
        yield* node.receive(badPush("6", 1_000))
        assert.strictEqual(yield* lastRejection, first)
        yield* node.receive(badPush("8"))
        assert.notStrictEqual(yield* lastRejection, first)
        const second = yield* lastRejection
        yield* node.receive(badPush("6"))
        yield* node.receive(badPush("6", 2_000))
        assert.strictEqual(yield* lastRejection, second)
      })
    )
  )

  it.effect("refuses once what it can't even process", () =>
    withNode((node) =>
      Effect.gen(function* () {
        const deep = new TextEncoder().encode(
          `{"type":"reconfigure","config_table":{"_format_version":"3.0","keys":[${deepText}]}}`
        )
        yield* node.receive(deep)
        const first = yield* lastRejection
        assert.match(first?.reasons.join() ?? "", /can't be processed/)
        yield* TestClock.adjust("20 seconds")
        yield* node.receive(deep)
        assert.strictEqual(yield* lastRejection, first)
        assert.deepEqual(yield* writtenDigits(node), [])
      })
    )
  )

  it.effect("tries again, with growing pauses, what failed for want of memory; something newer takes its place", () =>
    Effect.gen(function* () {
      const attempts = yield* Ref.make(0)
      const isShort = yield* Ref.make(true)
      const compression = Layer.succeed(Compression, {
        gzip: Effect.succeed,
        gunzip: Effect.fnUntraced(function* (bytes) {
          yield* Ref.update(attempts, (count) => count + 1)
          if (yield* Ref.get(isShort)) return yield* new CompressionError({ reason: "noMemory", message: "no memory" })
          return bytes
        })
      })
      yield* withNode(
        (node) =>
          Effect.gen(function* () {
            yield* node.receive(push("1"))
            yield* passSeconds(8)
            // At 0, 1, 3 and 7 s.
            assert.strictEqual(yield* Ref.get(attempts), 4)
            assert.isUndefined(yield* lastRejection)
            yield* node.receive(push("2"))
            assert.strictEqual(yield* Ref.get(attempts), 5)
            yield* Ref.set(isShort, false)
            yield* passSeconds(1)
            assert.strictEqual(yield* servedDigit, "2")
          }),
        { compression }
      )
    })
  )

  it.effect("serves and announces what can't be cached, and caches it once the disk allows", () =>
    withNode((node) =>
      Effect.gen(function* () {
        yield* Ref.set(node.cache.failures, 3)
        yield* node.receive(push("1"))
        assert.deepEqual(yield* announcedDigits(node), ["0", "1"])
        assert.match((yield* cacheProblem) ?? "", /disk full/)
        yield* passSeconds(6)
        assert.deepEqual(yield* writtenDigits(node), [])
        yield* passSeconds(1)
        assert.deepEqual(yield* writtenDigits(node), ["1"])
        assert.isUndefined(yield* cacheProblem)
      })
    )
  )

  it.effect("gives up caching a configuration once a newer one has taken its place", () =>
    withNode((node) =>
      Effect.gen(function* () {
        yield* Ref.set(node.cache.failures, 1)
        yield* node.receive(push("1"))
        yield* node.receive(push("2"))
        yield* TestClock.adjust("1 hour")
        yield* settle
        assert.deepEqual(yield* writtenDigits(node), ["2"])
      })
    )
  )

  it.effect(
    "writes the cache again when somebody changed or removed it, even if nothing new came (resilience.md §4)",
    () =>
      withNode((node) =>
        Effect.gen(function* () {
          for (const [state, expected] of [
            ["own", 1],
            ["own", 1],
            ["foreign", 2],
            ["known", 3],
            ["absent", 4]
          ] as const) {
            yield* Ref.set(node.cache.state, state)
            yield* node.receive(push("1"))
            assert.lengthOf(yield* writtenDigits(node), expected)
          }
        })
      )
  )

  it.effect("does not write late what no longer serves, and owes the disk nothing then", () =>
    withNode((node) =>
      Effect.gen(function* () {
        const live = yield* LiveConfig
        yield* Ref.set(node.cache.failures, 1)
        yield* node.receive(push("1"))
        assert.isDefined(yield* cacheProblem)
        const { acceptedCount: after } = yield* SubscriptionRef.get(live.state)
        yield* live.apply({
          raw: table("/d"),
          source: "disk",
          hash: "d".repeat(32),
          receivedAtMs: 1,
          byHand: { after }
        })
        yield* settle
        assert.isUndefined(yield* cacheProblem)
        assert.strictEqual((yield* announcedDigits(node)).at(-1), "d")
        yield* TestClock.adjust("1 hour")
        yield* settle
        assert.deepEqual(yield* writtenDigits(node), [])
      })
    )
  )

  it.effect("serves and announces on while the disk never answers, and writes the newest once it does", () =>
    Effect.gen(function* () {
      const answered = yield* Deferred.make<void>()
      const written = yield* Ref.make<ReadonlyArray<string>>([])
      const cache = Layer.succeed(ConfigCache, {
        source: "disk",
        offer: noOffer,
        write: ({ hash }) =>
          Deferred.await(answered).pipe(
            Effect.andThen(Ref.update(written, (all) => [...all, hash.slice(0, 1)])),
            Effect.uninterruptible
          ),
        byHand: {
          file: "dead",
          state: Effect.as(Deferred.await(answered), "own" as const),
          adopt: Effect.void,
          offer: noOffer
        }
      })
      yield* withNode(
        (node) =>
          Effect.gen(function* () {
            for (const [index, digit] of ["1", "2", "3", "3"].entries()) {
              yield* node.receive(push(digit))
              assert.strictEqual(yield* servedDigit, digit)
              yield* passSeconds(5)
              assert.strictEqual((yield* announcedDigits(node)).length, index + 2)
              assert.strictEqual((yield* announcedDigits(node)).at(-1), digit)
              assert.strictEqual(yield* cacheProblem, "still being written")
            }
            yield* Deferred.succeed(answered, undefined)
            yield* settle
            assert.deepEqual(yield* Ref.get(written), ["1", "3"])
            assert.isUndefined(yield* cacheProblem)
          }).pipe(
            // A failed expectation must not leave the write hanging, which the scope waits for.
            Effect.onExit(() => Deferred.succeed(answered, undefined))
          ),
        { cache }
      )
    })
  )

  it.effect("survives a defect of the cache", () =>
    withNode(
      (node) =>
        Effect.gen(function* () {
          yield* node.receive(push("1"))
          assert.match((yield* cacheProblem) ?? "", /bug/)
          yield* node.receive(push("2"))
          assert.strictEqual(yield* servedDigit, "2")
          assert.strictEqual((yield* announcedDigits(node)).at(-1), "2")
        }),
      {
        cache: Layer.succeed(ConfigCache, { source: "disk", offer: noOffer, write: () => Effect.die("bug") })
      }
    )
  )
})
