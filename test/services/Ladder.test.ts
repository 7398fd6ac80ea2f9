/** The ladder at start: `DESIGN.md`, "The life of a node", 2 and 3; `resilience.md` §3 and §9; the cache rows of the faults. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, type Scope, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import type { Row } from "../../src/model/Entity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { DeclarativeConfig } from "../../src/services/DeclarativeConfig.ts"
import { serveLocalRungs, serveRung } from "../../src/services/Ladder.ts"
import { LiveConfig, type LiveState } from "../../src/services/LiveConfig.ts"
import type { RungAnswer } from "../../src/services/Rung.ts"
import { makeMemoryCache, makeMemoryFile, tableHeld } from "../../src/testing/MemoryRungs.ts"
import { joined, liveLayerFor, settle } from "../support/live.ts"
import { eventsInto, type LoggedEvent } from "../support/logged.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const conditions = ["absent", "good", "invalid", "damaged", "dying"] as const
type Condition = (typeof conditions)[number]

const held = (condition: Condition, path: string) =>
  condition === "damaged"
    ? ({ _tag: "Damaged" } as const)
    : condition === "absent"
      ? undefined
      : tableHeld(condition === "invalid" ? table(path, { nonsense: [1] }) : table(path))

interface Node {
  readonly disk: Condition
  readonly file: Condition
  readonly given?: Partial<Record<SettingName, string>>
}

interface Started {
  readonly state: LiveState
  readonly events: ReadonlyArray<LoggedEvent>
}

const start = ({ disk, file, given = joined }: Node): Effect.Effect<Started, never, Scope.Scope> => {
  const events: Array<LoggedEvent> = []
  const cache = makeMemoryCache()
  cache.current = held(disk, "/disk")
  const declarative = makeMemoryFile()
  declarative.held = held(file, "/file")
  const dying = Effect.die(new Error("a bug of the rung"))
  const rungs = Layer.mergeAll(
    Layer.succeed(ConfigCache, { ...cache.start(), ...(disk === "dying" ? { offer: dying } : {}) }),
    Layer.succeed(DeclarativeConfig, { ...declarative.start(), ...(file === "dying" ? { offer: dying } : {}) })
  )
  return Effect.gen(function* () {
    yield* serveLocalRungs
    return { state: yield* SubscriptionRef.get((yield* LiveConfig).state), events }
  }).pipe(
    Effect.provide(Layer.mergeAll(liveLayerFor(given), settingsLayer(given), rungs)),
    Effect.provide(Logger.layer([eventsInto(events)]))
  )
}

const named = (events: ReadonlyArray<LoggedEvent>, message: string) =>
  events.filter((event) => event.message === message)

describe("the rungs that need no network, in every pair of conditions", () => {
  for (const disk of conditions) {
    for (const file of conditions) {
      it.effect(`disk ${disk}, file ${file}`, () =>
        Effect.gen(function* () {
          const { state, events } = yield* start({ disk, file })
          const expected = disk === "good" ? "disk" : file === "good" ? "declarative_file" : "empty"
          assert.strictEqual(state.source, expected)
          assert.deepEqual(
            state.passedOver.map(({ source }) => source),
            [...(disk === "good" ? [] : ["disk"]), ...(expected === "empty" ? ["declarative_file"] : [])]
          )
          for (const { reasons } of state.passedOver) assert.isNotEmpty(reasons)
          const isRefused = (condition: Condition) => condition === "invalid" || condition === "damaged"
          const isTold = disk !== "good" && (isRefused(disk) || (file !== "good" && isRefused(file)))
          assert.strictEqual(state.lastRejection !== undefined, isTold)
          const climbs = named(events, "ladder: climbed")
          assert.lengthOf(climbs, expected === "empty" ? 0 : 1)
          assert.lengthOf(
            named(events, "no configuration at hand; every request is answered 404 until one arrives"),
            expected === "empty" ? 1 : 0
          )
        })
      )

      it.effect(`a node on its own: file ${file}, disk ${disk}`, () =>
        Effect.gen(function* () {
          const { state } = yield* start({ disk, file, given: {} })
          assert.strictEqual(state.source, file === "good" ? "declarative_file" : disk === "good" ? "disk" : "empty")
        })
      )
    }
  }
})

describe("what a rung is owed", () => {
  it.effect("is told when its candidate serves: an older configuration becomes the current one", () =>
    Effect.gen(function* () {
      const cache = makeMemoryCache()
      const [bad, good] = [tableHeld(table("/bad", { nonsense: [1] })), tableHeld(table("/good"))]
      cache.current = { _tag: "Damaged" }
      cache.generations = [bad, good]
      yield* serveLocalRungs.pipe(
        Effect.provide([
          liveLayerFor(joined),
          settingsLayer(joined),
          Layer.succeed(ConfigCache, cache.start()),
          Layer.succeed(DeclarativeConfig, makeMemoryFile().start())
        ])
      )
      assert.strictEqual(cache.current as unknown, good)
      assert.deepEqual(cache.generations, [])
      assert.lengthOf(cache.quarantine, 2)
      assert.include(cache.quarantine.find(({ held }) => held === bad)?.reasons.join(), "unknown entity")
    }).pipe(Effect.provide(Logger.layer([])))
  )
})

describe("what comes of a rung", () => {
  it.effect("is that it is outranked when its candidate is right and something better serves", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply({ raw: table("/cp"), source: "control_plane", hash: "c".repeat(32), receivedAtMs: 1 })
      const cache = makeMemoryCache()
      cache.current = tableHeld(table("/disk"))
      assert.deepEqual(yield* serveRung(live, cache.start()), { _tag: "Outranked" })
      assert.deepEqual((yield* SubscriptionRef.get(live.state)).passedOver, [])
    }).pipe(Effect.provide(liveLayerFor(joined)), Effect.provide(Logger.layer([])))
  )
})

describe("a rung whose disk does not answer", () => {
  const withRungs = (answer: Effect.Effect<RungAnswer>, body: Effect.Effect<void, never, LiveConfig>) => {
    const late = Layer.succeed(ConfigCache, { ...makeMemoryCache().start(), offer: answer })
    const file = makeMemoryFile()
    file.held = tableHeld(table("/file"))
    return Effect.gen(function* () {
      const starting = yield* Effect.forkChild(serveLocalRungs, { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* settle
      assert.isDefined(starting.pollUnsafe(), "the node starts")
      const { source, passedOver } = yield* SubscriptionRef.get((yield* LiveConfig).state)
      assert.strictEqual(source, "declarative_file")
      assert.deepEqual(passedOver, [{ source: "disk", reasons: ["the disk does not answer"] }])
      yield* body
    }).pipe(
      Effect.provide([
        liveLayerFor(joined),
        settingsLayer(joined),
        late,
        Layer.succeed(DeclarativeConfig, file.start())
      ]),
      Effect.provide(Logger.layer([]))
    )
  }

  it.effect("is passed over, and its late answer counts like any: it serves in the place of what is worse", () => {
    const told: Array<string> = []
    const raw = table("/disk")
    const answer: RungAnswer = {
      _tag: "Candidate",
      offer: { raw, source: "disk", hash: "d".repeat(32), receivedAtMs: 1 },
      served: Effect.sync(() => void told.push("served")),
      refused: () => Effect.die("is right")
    }
    return withRungs(
      Effect.delay(Effect.succeed(answer), "1 minute"),
      Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        yield* settle
        const { source, passedOver } = yield* SubscriptionRef.get((yield* LiveConfig).state)
        assert.deepEqual([source, passedOver, told], ["disk", [], ["served"]])
      })
    )
  })

  it.effect("does not take the place of what has come meanwhile from a better one", () =>
    withRungs(
      Effect.delay(
        Effect.succeed<RungAnswer>({
          _tag: "Candidate",
          offer: { raw: table("/disk"), source: "disk", hash: "d".repeat(32), receivedAtMs: 1 },
          served: Effect.die("does not serve"),
          refused: () => Effect.die("is right")
        }),
        "1 minute"
      ),
      Effect.gen(function* () {
        const live = yield* LiveConfig
        const pushed = { raw: table("/cp"), source: "control_plane", hash: "c".repeat(32), receivedAtMs: 1 } as const
        yield* Effect.orDie(live.apply(pushed))
        yield* TestClock.adjust("1 minute")
        yield* settle
        assert.strictEqual((yield* SubscriptionRef.get(live.state)).source, "control_plane")
      })
    )
  )
})

describe("config_sources", () => {
  const both = { disk: "good", file: "good" } as const

  it.effect("is the order in which the rungs are asked, on any node", () =>
    Effect.gen(function* () {
      const sourceFor = (config_sources: string, more: Partial<Record<SettingName, string>>) =>
        Effect.map(start({ ...both, given: { ...more, config_sources } }), ({ state }) => state.source)
      assert.strictEqual(yield* sourceFor("control_plane, declarative_file, disk", joined), "declarative_file")
      assert.strictEqual(yield* sourceFor("control_plane, disk, declarative_file", joined), "disk")
      assert.strictEqual(yield* sourceFor("disk, declarative_file", {}), "disk")
    })
  )

  it.effect("leaves out what it does not list", () =>
    Effect.gen(function* () {
      const given = { ...joined, config_sources: "control_plane, declarative_file" }
      const { state } = yield* start({ disk: "good", file: "damaged", given })
      assert.strictEqual(state.source, "empty")
      assert.deepEqual(
        state.passedOver.map(({ source }) => source),
        ["declarative_file"]
      )
      assert.deepEqual(state.sources, ["control_plane", "declarative_file"])
    })
  )
})

describe("a climb", () => {
  it.effect("is one event with both rungs and why each better one does not serve", () =>
    Effect.gen(function* () {
      const { events } = yield* start({ disk: "damaged", file: "good" })
      const [climb] = named(events, "ladder: climbed")
      assert.deepEqual(climb?.fields, {
        from: "empty",
        to: "declarative_file",
        passedOver: ["disk: memory:config.json.gz: damaged; nothing older is left"]
      })
    })
  )

  it.effect("tells a few of many faults, and that there are more", () =>
    Effect.gen(function* () {
      const events: Array<LoggedEvent> = []
      const cache = makeMemoryCache()
      cache.current = tableHeld(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`x${n}`, 1])) as Row)
      const layer = Layer.mergeAll(
        liveLayerFor(joined),
        settingsLayer(joined),
        Layer.succeed(ConfigCache, cache.start()),
        Layer.succeed(DeclarativeConfig, makeMemoryFile().start())
      )
      const { passedOver, lastRejection } = yield* Effect.gen(function* () {
        yield* serveLocalRungs
        return yield* SubscriptionRef.get((yield* LiveConfig).state)
      }).pipe(Effect.provide(layer), Effect.provide(Logger.layer([eventsInto(events)])))
      assert.lengthOf(lastRejection?.reasons ?? [], 51)
      assert.lengthOf(passedOver[0]?.reasons ?? [], 5)
      assert.include(passedOver[0]?.reasons.join("; "), "and 48 more")
      assert.match(lastRejection?.reasons[1] ?? "", /^memory:config\.json\.gz: x0: unknown entity/)
    })
  )
})
