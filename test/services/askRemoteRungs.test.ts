/** The rungs that need the network: `DESIGN.md`, "The life of a node", 3; `resilience.md` §5.4 and §5.5. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, MutableRef, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import type { RungSource } from "../../src/model/Snapshot.ts"
import {
  askRemoteRungs,
  remotePatienceMs,
  remotePauseMaxMs,
  remotePauseMinMs
} from "../../src/services/askRemoteRungs.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import type { ConnectionState } from "../../src/services/Connection.ts"
import { ConnectionStatus } from "../../src/services/ConnectionStatus.ts"
import { LiveConfig, type Offer } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { RemoteRungs, type Rung, type RungAnswer } from "../../src/services/Rung.ts"
import { type MemoryCache, makeMemoryCache } from "../../src/testing/MemoryRungs.ts"
import { joined, liveLayerFor, settle } from "../support/live.ts"
import { eventsInto, type LoggedEvent } from "../support/logged.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const offerOf = (source: RungSource, digit: string): Offer => ({
  raw: table(`/${digit}`),
  source,
  hash: digit.repeat(32),
  receivedAtMs: 1
})

const nothing: RungAnswer = { _tag: "Nothing", reason: "no peer answers" }

interface Remote {
  answer: Effect.Effect<RungAnswer>
  asked: number
  readonly rung: Rung
}

/** A rung whose answer the test sets, and which counts. */
const remote = (source: RungSource): Remote => {
  const self: Remote = {
    answer: Effect.succeed(nothing),
    asked: 0,
    rung: {
      source,
      offer: Effect.suspend(() => {
        self.asked++
        return self.answer
      })
    }
  }
  return self
}

const candidate = (offer: Offer): RungAnswer => ({
  _tag: "Candidate",
  offer,
  served: Effect.void,
  refused: () => Effect.succeed({ _tag: "Nothing", reason: "that was all" })
})

const connect = (state: "connecting" | "connected" | "disconnected") =>
  Effect.flatMap(ConnectionStatus, (ref) =>
    SubscriptionRef.set(ref, { _tag: state, sinceMs: 0, attempts: 1, reason: "gone" } as ConnectionState)
  )

const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settle)

const serving = Effect.gen(function* () {
  const { source, hash, passedOver } = yield* SubscriptionRef.get((yield* LiveConfig).state)
  return { source, digit: hash[0], passedOver }
})

interface World {
  readonly peer: Remote
  readonly storage: Remote
  readonly cache: MemoryCache
  readonly events: Array<LoggedEvent>
}

type Parts = LiveConfig | ConnectionStatus | NodeHealth

const withRemotes = (
  body: (world: World) => Effect.Effect<void, unknown, Parts>,
  given: Partial<Record<"config_sources", string>> = {}
) => {
  const world: World = { peer: remote("peer"), storage: remote("object_storage"), cache: makeMemoryCache(), events: [] }
  const settings = { ...joined, ...given }
  const layer = Layer.mergeAll(
    liveLayerFor(settings),
    settingsLayer(settings),
    ConnectionStatus.layer,
    NodeHealth.layer,
    Layer.succeed(ConfigCache, world.cache.start()),
    Layer.succeed(RemoteRungs, [world.storage.rung, world.peer.rung])
  )
  return Effect.gen(function* () {
    yield* connect("connecting")
    yield* Effect.forkChild(askRemoteRungs, { startImmediately: true })
    yield* settle
    yield* body(world)
  }).pipe(Effect.provide(layer), Effect.provide(Logger.layer([eventsInto(world.events)])))
}

describe("asking the remote rungs", () => {
  it.effect("waits for the first dial to fail, and asks the best first", () =>
    withRemotes(({ peer, storage, events, cache }) =>
      Effect.gen(function* () {
        yield* pass(60_000)
        assert.deepEqual([peer.asked, storage.asked], [0, 0])
        storage.answer = Effect.succeed(candidate(offerOf("object_storage", "5")))
        yield* connect("disconnected")
        yield* settle
        assert.deepEqual([peer.asked, storage.asked], [1, 1])
        assert.deepInclude(yield* serving, { source: "object_storage", digit: "5" })
        const climb = events.find(({ message }) => message === "ladder: climbed")
        assert.deepEqual(climb?.fields, {
          from: "empty",
          to: "object_storage",
          passedOver: ["peer: no peer answers"]
        })
        assert.deepInclude(cache.current, { hash: "5".repeat(32) })
      })
    )
  )

  it.effect("asks again and again with jitter while nothing is found, and climbs when something better comes", () =>
    withRemotes(({ peer, storage }) =>
      Effect.gen(function* () {
        yield* (yield* LiveConfig).apply(offerOf("declarative_file", "f"))
        yield* connect("disconnected")
        yield* settle
        assert.strictEqual(peer.asked, 1)
        yield* pass(remotePauseMinMs - 1)
        assert.strictEqual(peer.asked, 1)
        yield* pass(remotePauseMaxMs - remotePauseMinMs + 1)
        assert.strictEqual(peer.asked, 2)
        for (let n = 0; n < 10; n++) yield* pass(remotePauseMaxMs)
        assert.isAtLeast(peer.asked, 10)
        storage.answer = Effect.succeed(candidate(offerOf("object_storage", "5")))
        yield* pass(remotePauseMaxMs)
        assert.deepInclude(yield* serving, { source: "object_storage" })
        // Object storage is not asked again, a peer is: it would be better.
        const { asked } = storage
        peer.answer = Effect.succeed(candidate(offerOf("peer", "4")))
        yield* pass(remotePauseMaxMs)
        assert.deepInclude(yield* serving, { source: "peer", digit: "4" })
        yield* pass(10 * remotePauseMaxMs)
        assert.strictEqual(storage.asked, asked)
      })
    )
  )

  it.effect("asks nobody while the disk serves, nor while the control plane is connected", () =>
    withRemotes(({ peer, storage }) =>
      Effect.gen(function* () {
        yield* (yield* LiveConfig).apply(offerOf("disk", "d"))
        yield* connect("disconnected")
        yield* pass(60_000)
        yield* connect("connected")
        yield* pass(60_000)
        assert.deepEqual([peer.asked, storage.asked], [0, 0])
      })
    )
  )

  it.effect("goes by the node's preference, and leaves out what that leaves out", () =>
    withRemotes(
      ({ peer, storage }) =>
        Effect.gen(function* () {
          yield* (yield* LiveConfig).apply(offerOf("disk", "d"))
          yield* connect("disconnected")
          yield* settle
          assert.deepEqual([peer.asked, storage.asked], [1, 0])
        }),
      { config_sources: "control_plane, peer, disk" }
    )
  )

  it.effect("leaves aside what comes when the control plane was quicker, and writes none of it", () =>
    withRemotes(({ peer, cache, events }) =>
      Effect.gen(function* () {
        const live = yield* LiveConfig
        peer.answer = Effect.delay(Effect.succeed(candidate(offerOf("peer", "4"))), "1 second")
        yield* connect("disconnected")
        yield* settle
        yield* live.apply(offerOf("control_plane", "1"))
        yield* pass(1_000)
        assert.deepInclude(yield* serving, { source: "control_plane", digit: "1" })
        assert.isUndefined((yield* SubscriptionRef.get(live.state)).lastRejection)
        assert.isTrue(events.some(({ message }) => message === "configuration left aside: something better serves"))
        assert.isUndefined(cache.current)
      })
    )
  )

  it.effect("passes over a rung that never answers, and one that dies", () =>
    withRemotes(({ peer, storage }) =>
      Effect.gen(function* () {
        peer.answer = Effect.never
        storage.answer = Effect.die("bug")
        yield* connect("disconnected")
        yield* settle
        yield* pass(remotePatienceMs)
        assert.deepEqual((yield* serving).passedOver, [
          { source: "peer", reasons: ["no answer in 30 s"] },
          { source: "object_storage", reasons: ["it failed on a defect"] }
        ])
        storage.answer = Effect.succeed(candidate(offerOf("object_storage", "5")))
        yield* pass(remotePauseMaxMs + remotePatienceMs)
        assert.deepInclude(yield* serving, { source: "object_storage" })
      })
    )
  )

  it.effect("keeps trying to write what it found while that serves, says so once, and lets go when it does not", () =>
    withRemotes(({ storage, cache, events }) =>
      Effect.gen(function* () {
        const { cacheProblem } = yield* NodeHealth
        cache.failure = "ENOSPC"
        storage.answer = Effect.succeed(candidate(offerOf("object_storage", "5")))
        yield* connect("disconnected")
        yield* pass(30_000)
        const told = () =>
          events.filter(({ message }) => message.startsWith("configuration serves but can't be cached"))
        assert.lengthOf(told(), 1)
        assert.strictEqual(MutableRef.get(cacheProblem), "ENOSPC")
        cache.failure = undefined
        yield* pass(60_000)
        assert.deepInclude(cache.current, { hash: "5".repeat(32) })
        assert.isUndefined(MutableRef.get(cacheProblem))
      })
    )
  )

  it.effect("never writes what it found over what came since", () =>
    withRemotes(({ storage, cache }) =>
      Effect.gen(function* () {
        const live = yield* LiveConfig
        cache.failure = "EIO"
        storage.answer = Effect.succeed(candidate(offerOf("object_storage", "5")))
        yield* connect("disconnected")
        yield* settle
        yield* live.apply(offerOf("control_plane", "1"))
        cache.failure = undefined
        yield* pass(120_000)
        assert.isUndefined(cache.current, "the control plane's driver writes its own")
      })
    )
  )
})
