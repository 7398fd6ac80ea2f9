/** The rungs that need the network: `DESIGN.md`, "The life of a node", 3; `resilience.md` §5.4 and §5.5. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, MutableRef, Random, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import type { RungSource, Snapshot } from "../../src/model/Snapshot.ts"
import {
  askRemoteRungs,
  remotePatienceMs,
  remotePauseMaxMs,
  remotePauseMinMs
} from "../../src/services/askRemoteRungs.ts"
import { ConfigCache, type WritableRung } from "../../src/services/ConfigCache.ts"
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

type Write = ReturnType<WritableRung["write"]>

interface World {
  readonly peer: Remote
  readonly storage: Remote
  readonly cache: MemoryCache
  /** What was to be written, in order: the first digit of each hash. */
  readonly writes: Array<string | undefined>
  /** What becomes of a write. */
  around: (write: Write) => Write
  readonly isAlive: () => boolean
  /** As a node does that stops; whether it has ended within so many milliseconds. */
  readonly endsWithin: (ms: number) => Effect.Effect<boolean>
  readonly events: Array<LoggedEvent>
}

type Parts = LiveConfig | ConnectionStatus | NodeHealth

const digitOf = ({ hash }: Partial<Snapshot> = {}) => hash?.[0]

const withRemotes = (
  body: (world: World) => Effect.Effect<void, unknown, Parts>,
  given: Partial<Record<"config_sources", string>> = {}
) => {
  const cache = makeMemoryCache()
  const started = cache.start()
  const asking: { fiber?: Fiber.Fiber<unknown, unknown> } = {}
  const world: World = {
    peer: remote("peer"),
    storage: remote("object_storage"),
    cache,
    writes: [],
    around: (write) => write,
    isAlive: () => asking.fiber?.pollUnsafe() === undefined,
    endsWithin: (ms) =>
      Effect.gen(function* () {
        const ending = yield* Effect.forkChild(Fiber.interrupt(asking.fiber ?? assert.fail("not started")))
        yield* settle
        yield* pass(ms)
        return ending.pollUnsafe() !== undefined
      }),
    events: []
  }
  const write: WritableRung["write"] = (snapshot, isStillWanted) =>
    Effect.suspend(() => {
      world.writes.push(digitOf(snapshot))
      return world.around(started.write(snapshot, isStillWanted))
    })
  const settings = { ...joined, ...given }
  const layer = Layer.mergeAll(
    liveLayerFor(settings),
    settingsLayer(settings),
    ConnectionStatus.layer,
    NodeHealth.layer,
    Layer.succeed(ConfigCache, { ...started, write }),
    Layer.succeed(RemoteRungs, [world.storage.rung, world.peer.rung])
  )
  return Effect.gen(function* () {
    yield* connect("connecting")
    asking.fiber = yield* Effect.forkChild(askRemoteRungs, { startImmediately: true })
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

  for (const [draw, pauseMs] of [
    [0, 5_000],
    [1 - 2 ** -53, 10_000]
  ] as const) {
    it.effect(`pauses for 5 to 10 s: at a draw of ${draw} for ${pauseMs} ms`, () =>
      withRemotes(({ peer }) =>
        Effect.gen(function* () {
          yield* connect("disconnected")
          yield* settle
          yield* pass(pauseMs - 1)
          assert.strictEqual(peer.asked, 1)
          yield* pass(1)
          assert.strictEqual(peer.asked, 2)
        })
      ).pipe(Effect.provideService(Random.Random, { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => draw }))
    )
  }

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
    withRemotes(({ peer, cache, events, isAlive }) =>
      Effect.gen(function* () {
        const live = yield* LiveConfig
        peer.answer = Effect.delay(Effect.succeed(candidate(offerOf("peer", "4"))), "1 second")
        yield* connect("disconnected")
        yield* settle
        yield* live.apply(offerOf("control_plane", "1"))
        yield* pass(1_000)
        assert.deepInclude(yield* serving, { source: "control_plane", digit: "1" })
        assert.isUndefined((yield* SubscriptionRef.get(live.state)).lastRejection)
        assert.isTrue(isAlive())
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

const cacheTold = (events: ReadonlyArray<LoggedEvent>) =>
  events.filter(({ message }) => message.startsWith("configuration serves but can't be cached"))

/** Object storage gives what the disk does not take. */
const givenInVain = Effect.fnUntraced(function* ({ storage, cache }: World) {
  cache.failure = "ENOSPC"
  storage.answer = Effect.succeed(candidate(offerOf("object_storage", "5")))
  yield* connect("disconnected")
  yield* settle
})

describe('what a remote rung gave, on a bad disk (`DESIGN.md`, "The life of a node", 3 and 8)', () => {
  it.effect("does not keep a better rung from being asked; the newest is owed then, and tried at once", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        const { peer, cache, writes, events } = world
        const { cacheProblem } = yield* NodeHealth
        yield* givenInVain(world)
        yield* pass(remotePauseMaxMs)
        peer.answer = Effect.succeed(candidate(offerOf("peer", "4")))
        yield* pass(remotePauseMaxMs)
        assert.deepInclude(yield* serving, { source: "peer", digit: "4" })
        assert.isTrue(writes.includes("4"))
        const from = writes.indexOf("4")
        yield* pass(120_000)
        assert.notInclude(writes.slice(from), "5", "what serves no more is owed no more")
        assert.isAbove(writes.length, from + 1)
        assert.lengthOf(cacheTold(events), 1, "the same trouble, told once")
        assert.strictEqual(MutableRef.get(cacheProblem), "ENOSPC")
        cache.failure = undefined
        yield* pass(60_000)
        assert.deepInclude(cache.current, { hash: "4".repeat(32) })
        assert.isUndefined(MutableRef.get(cacheProblem))
      })
    )
  )

  it.effect("is owed still when an older write ends after it has failed", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        const { peer, cache, endsWithin } = world
        world.around = (write) => Effect.delay(write, "20 seconds")
        yield* givenInVain(world)
        world.around = (write) => write
        peer.answer = Effect.succeed(candidate(offerOf("peer", "4")))
        yield* pass(remotePauseMaxMs)
        assert.deepInclude(yield* serving, { source: "peer" })
        // The older one is found to be moot, which is success.
        yield* pass(20_000)
        assert.deepEqual([cache.current], [undefined])
        cache.failure = undefined
        assert.isTrue(yield* endsWithin(0))
        assert.deepInclude(cache.current, { hash: "4".repeat(32) })
      })
    )
  )

  it.effect("is tried with pauses that grow up to a minute", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        yield* givenInVain(world)
        for (const [ms, tries] of [
          [999, 1],
          [1, 2],
          [2_000, 3],
          [300_000, 11]
        ] as const) {
          for (let passed = 0; passed < ms; passed += 1_000) yield* pass(Math.min(1_000, ms - passed))
          assert.lengthOf(world.writes, tries, `after ${ms} ms more`)
        }
      })
    )
  )

  it.effect("is told again when the disk fails again, and leaves alone what is another's problem", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        const { peer, cache, events } = world
        const { cacheProblem } = yield* NodeHealth
        yield* givenInVain(world)
        MutableRef.set(cacheProblem, "another's")
        cache.failure = undefined
        yield* pass(1_000)
        assert.strictEqual(MutableRef.get(cacheProblem), "another's")
        cache.failure = "EIO"
        peer.answer = Effect.succeed(candidate(offerOf("peer", "4")))
        yield* pass(remotePauseMaxMs)
        assert.deepEqual(
          cacheTold(events).map(({ fields }) => fields.cause),
          ["ENOSPC", "EIO"]
        )
        assert.strictEqual(MutableRef.get(cacheProblem), "EIO")
      })
    )
  )

  it.effect("is tried again when a write dies of a defect, which is told", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        world.around = () => Effect.die(new Error("bug"))
        yield* givenInVain(world)
        assert.deepInclude(cacheTold(world.events)[0]?.fields, { file: "the cache", cause: "bug" })
        world.around = (write) => write
        world.cache.failure = undefined
        yield* pass(1_000)
        assert.deepInclude(world.cache.current, { hash: "5".repeat(32) })
      })
    )
  )

  it.effect("is tried once more at a stop", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        const { cache, writes, endsWithin } = world
        yield* givenInVain(world)
        cache.failure = undefined
        assert.isTrue(yield* endsWithin(0))
        assert.deepInclude(cache.current, { hash: "5".repeat(32) })
        assert.deepEqual(writes, ["5", "5"])
        yield* pass(60_000)
        assert.lengthOf(writes, 2)
      })
    )
  )

  it.effect("is left where the last try fails as well", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        yield* givenInVain(world)
        assert.isTrue(yield* world.endsWithin(0))
        assert.lengthOf(world.writes, 2)
      })
    )
  )

  it.effect("keeps a stop waiting while it may still be written, and is written once", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        const { cache, writes, endsWithin } = world
        world.around = (write) => Effect.uninterruptible(Effect.delay(write, "3 seconds"))
        yield* givenInVain(world)
        cache.failure = undefined
        assert.isFalse(yield* endsWithin(2_999))
        yield* pass(1)
        assert.deepInclude(cache.current, { hash: "5".repeat(32) })
        assert.deepEqual(writes, ["5"])
      })
    )
  )

  it.effect("keeps no stop waiting for longer than 5 s, on a disk that never answers", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        const answered = yield* Deferred.make<void>()
        world.around = () => Effect.uninterruptible(Deferred.await(answered))
        yield* givenInVain(world)
        assert.isFalse(yield* world.endsWithin(4_999))
        yield* pass(1)
        assert.isTrue(yield* world.endsWithin(0))
        assert.lengthOf(world.writes, 1)
        yield* Deferred.succeed(answered, undefined)
      })
    )
  )

  it.effect("needs no further try at a stop once it is written", () =>
    withRemotes((world) =>
      Effect.gen(function* () {
        yield* givenInVain(world)
        world.cache.failure = undefined
        yield* pass(1_000)
        assert.isTrue(yield* world.endsWithin(0))
        assert.deepEqual(world.writes, ["5", "5"])
      })
    )
  )
})
