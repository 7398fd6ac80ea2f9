import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, MutableRef, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as RefLiveConfig from "../../src/layers/RefLiveConfig.ts"
import * as TraditionalCompatibleRouter from "../../src/layers/TraditionalCompatibleRouter.ts"
import { emptyConfig } from "../../src/model/CompiledConfig.ts"
import { definePlugin } from "../../src/model/plugin/Plugin.ts"
import { catalogueOf } from "../../src/model/plugin/PluginCatalogue.ts"
import { zeroHash } from "../../src/model/Snapshot.ts"
import { LiveConfig, type Offer } from "../../src/services/LiveConfig.ts"
import { Plugins } from "../../src/services/Plugins.ts"
import { Router } from "../../src/services/Router.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { joined, liveLayer, liveLayerFor } from "../support/live.ts"
import { eventsInto, type LoggedEvent } from "../support/logged.ts"
import { testPlugins } from "../support/plugins.ts"
import { settingsLayer } from "../support/settings.ts"
import { deepText, table } from "../support/tables.ts"

const hash = (digit: string) => digit.repeat(32)
const offer = (more: Partial<Offer> = {}): Offer => ({
  raw: table(),
  source: "control_plane",
  hash: hash("1"),
  receivedAtMs: 5,
  ...more
})

describe("the live configuration", () => {
  it.effect("swaps in one step and tells source, hash and age", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const before = MutableRef.get(live.current)
      const { isNew } = yield* live.apply(offer())
      assert.isTrue(isNew)
      assert.notStrictEqual(MutableRef.get(live.current), before)
      assert.deepInclude(yield* SubscriptionRef.get(live.state), {
        source: "control_plane",
        hash: hash("1"),
        receivedAtMs: 5,
        routeCount: 1
      })
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("keeps the running configuration, and the reasons, when an offer is invalid", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer())
      const running = MutableRef.get(live.current)
      const rejected = yield* Effect.flip(
        live.apply(
          offer({
            hash: hash("2"),
            raw: { ...table(), plugins: [{ id: "acacacac-0000-4000-8000-000000000001", name: "acl" }] }
          })
        )
      )
      assert.match(rejected.message, /plugin 'acl' not enabled/)
      assert.strictEqual(MutableRef.get(live.current), running)
      const { hash: running_, lastRejection } = yield* SubscriptionRef.get(live.state)
      assert.strictEqual(running_, hash("1"))
      assert.strictEqual(lastRejection?.hash, hash("2"))
      assert.match(lastRejection?.reasons.join() ?? "", /acl/)
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("refuses a configuration whose plugin can't be made, and the running one stays", () => {
    const broken = definePlugin({
      name: "broken",
      priority: 1,
      schema: { fields: {} },
      handler: () => {
        throw new Error("no such key")
      }
    })
    const rows = [
      { id: "acacacac-0000-4000-8000-000000000001", name: "broken" },
      { id: "acacacac-0000-4000-8000-000000000002", name: "broken", route: "r1" }
    ]
    const node = RefLiveConfig.layer.pipe(
      Layer.provide([
        TraditionalCompatibleRouter.layer,
        settingsLayer(joined),
        Layer.succeed(Plugins, catalogueOf([broken])),
        TrustedClock.layerWall
      ])
    )
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer())
      const running = MutableRef.get(live.current)
      const rejected = yield* Effect.flip(live.apply(offer({ hash: hash("2"), raw: { ...table(), plugins: rows } })))
      assert.strictEqual(rejected.stage, "compile")
      assert.deepStrictEqual(
        rejected.faults.map(({ path, message }) => [path, message.replace(/.*can't/, "can't")]),
        [
          [["plugins", 0], "can't be made: no such key"],
          [["plugins", 1], "can't be made: no such key"]
        ]
      )
      assert.strictEqual(MutableRef.get(live.current), running)
    }).pipe(Effect.provide(node))
  })

  it.effect("does not swap what serves already, but climbs to the better source", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer({ source: "disk" }))
      const running = MutableRef.get(live.current)
      const { isNew } = yield* live.apply(offer({ receivedAtMs: 9 }))
      assert.isFalse(isNew)
      assert.strictEqual(MutableRef.get(live.current), running)
      assert.deepInclude(yield* SubscriptionRef.get(live.state), { source: "control_plane", receivedAtMs: 9 })
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("never lets a worse rung replace a better one, and holds nothing against it", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer({ source: "disk" }))
      const rejected = yield* Effect.flip(live.apply(offer({ source: "declarative_file", hash: hash("3") })))
      assert.match(rejected.message, /at least as good as disk/)
      assert.isTrue(rejected.isOutranked)
      assert.deepInclude(yield* SubscriptionRef.get(live.state), { hash: hash("1"), lastRejection: undefined })
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("goes by the node's preference of sources", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer({ source: "disk" }))
      yield* live.apply(offer({ source: "declarative_file", hash: hash("3") }))
      assert.isTrue((yield* Effect.flip(live.apply(offer({ source: "disk", hash: hash("4") })))).isOutranked)
      yield* live.apply(offer({ hash: hash("5") }))
      const { source, sources } = yield* SubscriptionRef.get(live.state)
      assert.deepEqual([source, ...sources], ["control_plane", "control_plane", "declarative_file", "disk"])
    }).pipe(Effect.provide(liveLayerFor({ ...joined, config_sources: "control_plane, declarative_file, disk" })))
  )

  it.effect("gives an emptied configuration the hash of zeros, whatever its source calls it", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer())
      yield* live.apply(offer({ hash: hash("4"), raw: { _format_version: "3.0", workspaces: [], services: {} } }))
      assert.deepInclude(yield* SubscriptionRef.get(live.state), { hash: zeroHash, routeCount: 0 })
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("computes the hash that a source leaves out (hybrid-protocol-v1.md §4)", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const { snapshot } = yield* live.apply(
        offer({
          hash: undefined,
          raw: { _format_version: "3.0", _transform: false, parameters: [{ key: "cluster_id", value: "x" }] }
        })
      )
      assert.match(snapshot.hash, /^[0-9a-f]{32}$/)
      assert.notStrictEqual(snapshot.hash, zeroHash)
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("refuses what it can't process, at whichever step; the running configuration stays", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer())
      const running = MutableRef.get(live.current)
      const deep = JSON.parse(deepText)
      for (const [more, expected] of [
        [{ raw: { ...table(), parameters: [deep] } }, /parameters\[0\]: .*, got \[…\]/],
        [{ raw: { ...table(), parameters: [{ key: "a", value: "b", tags: deep }] } }, /parameters/],
        [{ raw: { ...table(), keys: [deep] } }, /can't be processed \(.*call stack/],
        [{ raw: table("/throws"), hash: hash("2") }, /can't be processed \(bug in the router\)/]
      ] as const) {
        const rejected = yield* Effect.flip(live.apply(offer({ hash: undefined, ...more })))
        assert.lengthOf(rejected.faults, 1)
        assert.match(rejected.message, expected)
        const { hash: served, lastRejection } = yield* SubscriptionRef.get(live.state)
        assert.strictEqual(served, hash("1"))
        assert.match(lastRejection?.reasons.join() ?? "", expected)
        assert.strictEqual(MutableRef.get(live.current), running)
      }
    }).pipe(
      Effect.provide(
        RefLiveConfig.layer.pipe(
          Layer.provide(TrustedClock.layerWall),

          Layer.provide([settingsLayer(), testPlugins]),
          Layer.provide(
            Layer.succeed(Router, {
              compile: ({ routes }) => {
                if (JSON.stringify(routes).includes("/throws")) throw new Error("bug in the router")
                return { ...emptyConfig, routeCount: routes.length }
              }
            })
          )
        )
      )
    )
  )
})

describe("a configuration that takes every route away (faults.md)", () => {
  it.effect("serves, for a node does what it is told, and is told loudly, once", () => {
    const events: Array<LoggedEvent> = []
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      const warned = () =>
        events.filter(({ message }) => message.startsWith("the configuration has no route left")).length
      const bare = { ...table(), routes: [] }
      yield* live.apply(offer({ raw: bare, hash: hash("1") }))
      assert.strictEqual(warned(), 0, "there were none before")
      yield* live.apply(offer({ hash: hash("2") }))
      yield* live.apply(offer({ raw: bare, hash: hash("3") }))
      yield* live.apply(offer({ raw: bare, hash: hash("4") }))
      assert.strictEqual(warned(), 1)
      assert.strictEqual((yield* SubscriptionRef.get(live.state)).hash, hash("4"))
    }).pipe(Effect.provide(liveLayer), Effect.provide(Logger.layer([eventsInto(events)])))
  })
})

describe("what the state says", () => {
  it.effect("is what serves, since when and how often something was accepted", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const state = SubscriptionRef.get(live.state)
      assert.deepInclude(yield* state, { source: "empty", sinceMs: 0, routeCount: 0, acceptedCount: 0 })
      yield* TestClock.adjust("1 second")
      yield* live.apply(offer({ source: "disk", raw: table("/a") }))
      assert.deepInclude(yield* state, { source: "disk", sinceMs: 1_000, routeCount: 1, acceptedCount: 1 })
      const served = (yield* state).snapshot
      assert.deepInclude(served, { source: "disk", receivedAtMs: 5, raw: table("/a") })
      yield* TestClock.adjust("1 second")
      // A climb without a swap: it serves since then, but comes from elsewhere.
      yield* live.passOver({ source: "peer", reasons: ["gone"] })
      const climbed = yield* live.apply(offer({ receivedAtMs: 9 }))
      assert.isFalse(climbed.isNew)
      assert.deepInclude(yield* state, { source: "control_plane", sinceMs: 1_000, acceptedCount: 2, passedOver: [] })
      assert.deepEqual((yield* state).snapshot, { ...served, source: "control_plane", receivedAtMs: 9 } as never)
      // The worse rung offers the same again: nothing is new, and nothing changes.
      const again = yield* live.apply(
        offer({ source: "disk", receivedAtMs: 11, byHand: { after: (yield* state).acceptedCount } })
      )
      assert.deepInclude(again, { isNew: false })
      assert.deepEqual(again.snapshot, (yield* state).snapshot as never)
      assert.deepInclude(yield* state, { source: "control_plane", receivedAtMs: 9, acceptedCount: 2 })
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("names the step of a refusal, and no place where there is none", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const refusedBy = (raw: Offer["raw"]) => Effect.flip(live.apply(offer({ hash: undefined, raw })))
      const deep = JSON.parse(deepText)
      for (const [raw, stage] of [
        [{ ...table(), keys: [deep] }, "schema"],
        [table("/throws"), "compile"]
      ] as const) {
        const { stage: told, faults } = yield* refusedBy(raw)
        assert.strictEqual(told, stage)
        assert.deepEqual(
          faults.map(({ path, ...rest }) => [path, "place" in rest]),
          [[[], false]]
        )
      }
    }).pipe(
      Effect.provide(
        RefLiveConfig.layer.pipe(
          Layer.provide(TrustedClock.layerWall),
          Layer.provide([settingsLayer(), testPlugins]),
          Layer.provide(
            Layer.succeed(Router, {
              compile: () => {
                throw new Error("bug in the router")
              }
            })
          )
        )
      )
    )
  )

  it.effect("says of a change by hand that came too late what was quicker", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer())
      const rejected = yield* Effect.flip(live.apply(offer({ source: "disk", hash: hash("2"), byHand: { after: 0 } })))
      assert.deepEqual(rejected.faults, [
        {
          path: [],
          message: "expected nothing newer than what was changed by hand; control_plane gave something meanwhile",
          value: "disk"
        }
      ])
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("is told: what serves, what it is served with a difference, and what is kept but not served", () => {
    const events: Array<LoggedEvent> = []
    const told = (message: string) =>
      events.splice(0).flatMap((event) => (event.message === message ? [event.fields] : []))
    const notServed = "entities that are kept but not served"
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      const serve = (digit: string, more: object) =>
        live.apply(offer({ hash: hash(digit), raw: { ...table(), ...more } }))
      yield* serve("1", {})
      assert.deepEqual(told(notServed), [])
      const vaults = { vaults: [{ prefix: "env" }] }
      yield* serve("2", { ...vaults, keys: [{ kid: "a" }] })
      assert.deepEqual(
        told(notServed).map(({ entities }) => String(entities).split(", ").sort()),
        [["keys", "vaults"]]
      )
      yield* serve("3", { ...vaults, keys: [{ kid: "b" }] })
      assert.deepEqual(told(notServed), [], "said once")
      yield* serve("4", vaults)
      assert.deepEqual(
        told(notServed).map(({ entities }) => entities),
        ["vaults"]
      )
      yield* serve("5", {})
      assert.deepEqual(
        events
          .filter(({ message }) => message === "configuration served with a difference")
          .map(({ fields }) => fields),
        [{ difference: "one" }, { difference: "two" }]
      )
      assert.deepEqual(told("configuration serves"), [
        { from: "control_plane", source: "control_plane", hash: hash("5"), routes: 0 }
      ])
    }).pipe(
      Effect.provide(
        RefLiveConfig.layer.pipe(
          Layer.provide([settingsLayer(joined), testPlugins, TrustedClock.layerWall]),
          Layer.provide(Layer.succeed(Router, { compile: () => ({ ...emptyConfig, warnings: ["one", "two"] }) }))
        )
      ),
      Effect.provide(Logger.layer([eventsInto(events)]))
    )
  })
})

describe("a change of source (DESIGN.md, The life of a node, 3)", () => {
  const moves = (events: ReadonlyArray<LoggedEvent>) =>
    events
      .filter(({ message }) => message.startsWith("ladder: "))
      .map(({ level, message, fields }) => [level, message, fields.from, fields.to])

  it.effect("is one event, whoever caused it, and none where the source stays", () => {
    const events: Array<LoggedEvent> = []
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer({ source: "declarative_file" }))
      yield* live.apply(offer({ source: "disk", hash: hash("2") }))
      yield* live.apply(offer({ source: "disk", hash: hash("3") }))
      // A climb without a swap.
      yield* live.apply(offer({ hash: hash("3") }))
      yield* live.apply(offer({ hash: hash("4") }))
      const { acceptedCount } = yield* SubscriptionRef.get(live.state)
      yield* live.apply(offer({ source: "disk", hash: hash("5"), byHand: { after: acceptedCount } }))
      yield* Effect.flip(live.apply(offer({ source: "declarative_file", hash: hash("6") })))
      assert.deepEqual(moves(events), [
        ["info", "ladder: climbed", "empty", "declarative_file"],
        ["info", "ladder: climbed", "declarative_file", "disk"],
        ["info", "ladder: climbed", "disk", "control_plane"],
        ["warn", "ladder: fell", "control_plane", "disk"]
      ])
    }).pipe(Effect.provide(liveLayer), Effect.provide(Logger.layer([eventsInto(events)])))
  })

  it.effect("names the rungs that were passed over; a better one makes them forgotten", () => {
    const events: Array<LoggedEvent> = []
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      const passedOver = Effect.map(SubscriptionRef.get(live.state), (state) =>
        state.passedOver.map(({ source, reasons }) => `${source}: ${reasons}`)
      )
      yield* live.passOver({ source: "object_storage", reasons: ["no such bucket"] })
      yield* live.passOver({ source: "disk", reasons: ["old"] })
      yield* live.passOver({ source: "disk", reasons: ["torn"] })
      assert.deepEqual(yield* passedOver, ["disk: torn", "object_storage: no such bucket"])
      yield* live.apply(offer({ source: "declarative_file" }))
      assert.deepEqual(events.find(({ message }) => message === "ladder: climbed")?.fields.passedOver, [
        "disk: torn",
        "object_storage: no such bucket"
      ])
      yield* live.apply(offer({ source: "peer", hash: hash("2") }))
      assert.deepEqual(yield* passedOver, ["disk: torn"])
      yield* live.passOver({ source: "declarative_file", reasons: ["nobody asks for this any more"] })
      assert.deepEqual(yield* passedOver, ["disk: torn"])
      yield* live.apply(offer({ source: "disk", hash: hash("3") }))
      yield* live.passOver({ source: "disk", reasons: [] })
      assert.deepEqual(yield* passedOver, [])
    }).pipe(Effect.provide(liveLayer), Effect.provide(Logger.layer([eventsInto(events)])))
  })

  it.effect("says of a refusal at which step, and where the refused thing stands", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const rejected = yield* Effect.flip(
        live.apply(offer({ source: "disk", place: "/p/config.json.gz", raw: { ...table(), nonsense: [] } }))
      )
      assert.deepInclude(rejected, { stage: "schema" })
      assert.match(rejected.message, /^\/p\/config\.json\.gz: nonsense: unknown entity/)
    }).pipe(Effect.provide(liveLayer))
  )

  it.effect("carries epoch and sequence where there are some", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const { snapshot } = yield* live.apply(offer({ source: "disk", epoch: "e", sequence: 3 }))
      assert.deepInclude(snapshot, { epoch: "e", sequence: 3 })
      const { snapshot: climbed } = yield* live.apply(offer({ sequence: 4 }))
      assert.deepInclude(climbed, { epoch: "e", sequence: 4 })
      const { snapshot: plain } = yield* live.apply(offer({ hash: hash("2") }))
      assert.notProperty(plain, "epoch")
      assert.notProperty(plain, "sequence")
    }).pipe(Effect.provide(liveLayer))
  )
})
