/** The live configuration where offers meet, where memory is short, and what is told of it all: `faults.md`. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Layer, Logger, MutableRef, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as RefLiveConfig from "../../src/layers/RefLiveConfig.ts"
import { type CompiledConfig, emptyConfig } from "../../src/model/CompiledConfig.ts"
import { decodeTable } from "../../src/model/ConfigTable.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { RungSource } from "../../src/model/Snapshot.ts"
import { describeTable } from "../../src/model/TableContent.ts"
import { decodeReconfigure } from "../../src/model/Wire.ts"
import { ConfigCodec } from "../../src/services/ConfigCodec.ts"
import { ConfigRejected, LiveConfig, type Offer } from "../../src/services/LiveConfig.ts"
import { Router } from "../../src/services/Router.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { joined, liveLayer, namingRouter, settle } from "../support/live.ts"
import { eventsInto, type LoggedEvent } from "../support/logged.ts"
import { testCatalogue, testPlugins } from "../support/plugins.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const offer = (source: RungSource, digit: string, raw: Row = table(`/${digit}`)): Offer => ({
  raw,
  source,
  hash: digit.repeat(32),
  receivedAtMs: 1
})

const withRouter = (compile: () => CompiledConfig) =>
  RefLiveConfig.layer.pipe(
    Layer.provide([settingsLayer(joined), testPlugins, TrustedClock.layerWall, Layer.succeed(Router, { compile })])
  )

const facts = (events: ReadonlyArray<LoggedEvent>, message: string) =>
  events.filter((event) => event.message === message).map(({ fields }) => fields)

describe("two offers at once", () => {
  /** Takes a second to say what time it is, to whoever asks it first. */
  const slowOnce = Layer.effect(
    TrustedClock,
    Effect.map(TrustedClock, (clock) => {
      let asked = 0
      // The first one is the start.
      const nowMs = Effect.suspend(() =>
        ++asked === 2 ? Effect.delay(Clock.currentTimeMillis, "1 second") : Clock.currentTimeMillis
      )
      return { ...clock, nowMs }
    })
  ).pipe(Layer.provide(TrustedClock.layerWall))

  it.effect("are served one after the other: the worse one never comes to lie over the better one", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* Effect.forkChild(live.apply(offer("disk", "1")), { startImmediately: true })
      yield* Effect.forkChild(live.apply(offer("control_plane", "2")), { startImmediately: true })
      yield* settle
      const { source: early } = yield* SubscriptionRef.get(live.state)
      yield* TestClock.adjust("1 second")
      yield* settle
      const { source, acceptedCount } = yield* SubscriptionRef.get(live.state)
      assert.deepEqual([early, source, acceptedCount], ["empty", "control_plane", 2])
    }).pipe(
      Effect.provide(
        RefLiveConfig.layer.pipe(Layer.provide([namingRouter, settingsLayer(joined), testPlugins, slowOnce]))
      ),
      Effect.provide(Logger.layer([]))
    )
  )
})

describe("want of memory", () => {
  it.effect("is held against no configuration: nothing is rejected, and the running one stays", () => {
    let isShort = false
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer("disk", "1"))
      const running = MutableRef.get(live.current)
      isShort = true
      const exit = yield* Effect.exit(live.apply(offer("control_plane", "2")))
      assert(Exit.isFailure(exit))
      assert.isTrue(Cause.hasDies(exit.cause))
      const { hash, lastRejection } = yield* SubscriptionRef.get(live.state)
      assert.deepEqual([hash, lastRejection], ["1".repeat(32), undefined])
      assert.strictEqual(MutableRef.get(live.current), running)
      isShort = false
      assert.isTrue((yield* live.apply(offer("control_plane", "2"))).isNew, "the same, a moment later")
    }).pipe(
      Effect.provide(
        withRouter(() => {
          if (isShort) throw new RangeError("Array buffer allocation failed")
          return { ...emptyConfig }
        })
      ),
      Effect.provide(Logger.layer([]))
    )
  })
})

describe("a refusal", () => {
  const told = (count: number) => {
    const events: Array<LoggedEvent> = []
    const faults = Array.from({ length: count }, (_, n) => ({ path: [n], message: "wrong" }))
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.note(new ConfigRejected({ source: "disk", hash: undefined, faults }))
      const { lastRejection } = yield* SubscriptionRef.get(live.state)
      const [logged, ...more] = facts(events, "configuration rejected; the running one stays")
      assert.isEmpty(more)
      assert.deepEqual(logged?.reasons as unknown, lastRejection?.reasons)
      assert.deepEqual(lastRejection?.faults, faults, "whole, for whoever tells them in another form")
      return { reasons: lastRejection?.reasons ?? [], logged }
    }).pipe(Effect.provide(liveLayer), Effect.provide(Logger.layer([eventsInto(events)])))
  }

  it.effect("is told with a hundred reasons, and how many more there are", () =>
    Effect.gen(function* () {
      for (const [count, lines, last] of [
        [1, 1, "[0]: wrong"],
        [99, 99, "[98]: wrong"],
        [100, 100, "[99]: wrong"],
        [101, 101, "and 1 more"],
        [250, 101, "and 150 more"]
      ] as const) {
        const { reasons } = yield* told(count)
        assert.lengthOf(reasons, lines)
        assert.strictEqual(reasons.at(-1), last)
        assert.strictEqual(reasons[0], "[0]: wrong")
      }
    })
  )

  it.effect("before a hash and a step are known says so", () =>
    Effect.gen(function* () {
      const { logged } = yield* told(1)
      assert.deepInclude(logged, { source: "disk", hash: "unknown", stage: "read" })
    })
  )

  it.effect("is one of the schema when the table throws at whoever decodes it", () =>
    Effect.gen(function* () {
      const { stage, message } = yield* Effect.flip((yield* LiveConfig).apply(offer("disk", "1")))
      assert.deepEqual([stage, message], ["schema", "can't be processed (bug in the codec)"])
    }).pipe(
      Effect.provide(liveLayer),
      Effect.provideService(ConfigCodec, {
        decodeReconfigure,
        describeTable,
        decodeTable: (input) => {
          if (input !== undefined) throw new Error("bug in the codec")
          return decodeTable(input, testCatalogue)
        }
      }),
      Effect.provide(Logger.layer([]))
    )
  )
})

describe("what is told of a configuration that serves", () => {
  it.effect("is nothing of routes while there are some, and nothing of entities once all are served", () => {
    const events: Array<LoggedEvent> = []
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer("disk", "1", table("/1", { vaults: [{ prefix: "env" }] })))
      const notServed = () => facts(events, "entities that are kept but not served")
      assert.deepEqual(notServed(), [{ entities: "vaults" }])
      yield* live.apply(offer("disk", "2"))
      yield* live.apply(offer("disk", "3"))
      assert.lengthOf(notServed(), 1)
      assert.isEmpty(facts(events, "the configuration has no route left; every request is answered 404"))
    }).pipe(Effect.provide(liveLayer), Effect.provide(Logger.layer([eventsInto(events)])))
  })

  it.effect("names no worse rung as passed over, also after a climb without a swap", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const passedOver = Effect.map(SubscriptionRef.get(live.state), (state) => state.passedOver)
      yield* live.apply(offer("peer", "1"))
      yield* live.passOver({ source: "disk", reasons: ["torn"] })
      assert.deepEqual(yield* passedOver, [{ source: "disk", reasons: ["torn"] }])
      assert.isFalse((yield* live.apply(offer("control_plane", "1"))).isNew)
      assert.deepEqual(yield* passedOver, [])
    }).pipe(Effect.provide(liveLayer), Effect.provide(Logger.layer([])))
  )
})
