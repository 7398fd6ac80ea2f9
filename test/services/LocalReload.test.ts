/** What a person changes while the node runs: reference `resilience.md` §4. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import type { ConnectionState } from "../../src/services/Connection.ts"
import { ConnectionStatus } from "../../src/services/ConnectionStatus.ts"
import { DeclarativeConfig } from "../../src/services/DeclarativeConfig.ts"
import { DiskSilence } from "../../src/services/DiskSilence.ts"
import { FileWatch } from "../../src/services/FileWatch.ts"
import { LiveConfig, type Offer } from "../../src/services/LiveConfig.ts"
import * as LocalReload from "../../src/services/LocalReload.ts"
import { Reload } from "../../src/services/Reload.ts"
import type { RungAnswer } from "../../src/services/Rung.ts"
import { joined, liveLayerFor, settle } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const offer = (source: Offer["source"], digit: string, path = `/${digit}`): Offer => ({
  raw: table(path),
  source,
  hash: digit.repeat(32),
  receivedAtMs: 1
})

interface Files {
  declarative: Effect.Effect<RungAnswer>
  cache: Effect.Effect<RungAnswer>
  state: "own" | "known" | "foreign" | "absent"
  /** How often what stood there was taken for the node's own. */
  adopted: number
  /** What became of what the cache offered. */
  readonly outcomes: Array<string>
}

const nothing: RungAnswer = { _tag: "Nothing", reason: "nothing" }
const unusable = (place: string, message: string): RungAnswer => ({
  _tag: "Unusable",
  stage: "read",
  faults: [{ path: [], place, message }],
  next: Effect.succeed(nothing)
})
const candidate = (given: Offer, outcomes: Array<string> = []): RungAnswer => ({
  _tag: "Candidate",
  offer: given,
  served: Effect.sync(() => void outcomes.push("served")),
  refused: () =>
    Effect.sync(() => {
      outcomes.push("refused")
      return nothing
    })
})

/** A node whose two files the test writes by assignment. */
const node = (files: Files, given: Partial<Record<SettingName, string>> = {}, isNamed = true) => {
  const cache = Layer.succeed(ConfigCache, {
    source: "disk",
    offer: Effect.succeed(nothing),
    write: () => Effect.void,
    byHand: {
      file: "/prefix/config.json.gz",
      adopt: Effect.sync(() => void files.adopted++),
      state: Effect.sync(() => files.state),
      offer: Effect.suspend(() => {
        files.state = "known"
        return files.cache
      })
    }
  })
  const file = Layer.succeed(DeclarativeConfig, {
    source: "declarative_file",
    offer: Effect.suspend(() => files.declarative)
  })
  const all = { ...(isNamed ? { declarative_config: "/kong.yml" } : {}), ...given }
  return LocalReload.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(liveLayerFor(all), ConnectionStatus.layer, cache, file, settingsLayer(all)))
  )
}

const files = (more: Partial<Files> = {}): Files => {
  const outcomes: Array<string> = []
  return {
    declarative: Effect.succeed(candidate(offer("declarative_file", "f"))),
    cache: Effect.succeed(candidate(offer("disk", "d"), outcomes)),
    state: "foreign",
    adopted: 0,
    outcomes,
    ...more
  }
}

const serving = Effect.gen(function* () {
  const { source, hash, lastRejection } = yield* SubscriptionRef.get((yield* LiveConfig).state)
  return { source, digit: hash[0], rejected: lastRejection?.reasons.join() }
})
const connect = (state: "connected" | "disconnected") =>
  Effect.flatMap(ConnectionStatus, (ref) =>
    SubscriptionRef.set(ref, { _tag: state, sinceMs: 0, attempts: 1, reason: "gone" } as ConnectionState)
  )

describe("the declarative file, read again", () => {
  it.effect("replaces itself; a bad one leaves the old one serving, and every fault is told", () => {
    const written = files({ state: "own" })
    return Effect.gen(function* () {
      const reload = yield* Reload
      yield* reload.all
      assert.deepInclude(yield* serving, { source: "declarative_file", digit: "f" })
      written.declarative = Effect.succeed(unusable("kong.yml:2:1", "bad"))
      yield* reload.all
      assert.deepEqual(yield* serving, { source: "declarative_file", digit: "f", rejected: "kong.yml:2:1: bad" })
      written.declarative = Effect.succeed(candidate(offer("declarative_file", "9")))
      yield* reload.all
      assert.deepInclude(yield* serving, { digit: "9" })
    }).pipe(Effect.provide(node(written)))
  })

  it.effect("is not even read while something better serves, nor where none is named", () => {
    let asked = 0
    const counted = files({
      state: "own",
      declarative: Effect.sync(() => {
        asked++
        return candidate(offer("declarative_file", "f"))
      })
    })
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* (yield* LiveConfig).apply(offer("disk", "1"))
        yield* (yield* Reload).declarativeFile
        assert.deepInclude(yield* serving, { source: "disk", rejected: undefined })
      }).pipe(Effect.provide(node(counted, joined)))
      assert.strictEqual(asked, 0)
      yield* Effect.flatMap(Reload, (reload) => reload.declarativeFile).pipe(Effect.provide(node(counted, {}, false)))
      assert.strictEqual(asked, 0)
      yield* Effect.flatMap(Reload, (reload) => reload.declarativeFile).pipe(
        Effect.provide(node(counted, { declarative_config_string: "{}" }, false))
      )
      assert.strictEqual(asked, 1)
    })
  })

  it.effect("on a node on its own replaces whatever serves: a left-over cache, or one put there by hand", () =>
    Effect.gen(function* () {
      yield* (yield* LiveConfig).apply(offer("disk", "1"))
      yield* (yield* Reload).declarativeFile
      assert.deepInclude(yield* serving, { source: "declarative_file", digit: "f" })
      yield* (yield* Reload).cache
      assert.deepInclude(yield* serving, { source: "disk", digit: "d" })
      yield* (yield* Reload).all
      assert.deepInclude(yield* serving, { source: "declarative_file", digit: "f" })
    }).pipe(Effect.provide(node(files())))
  )

  it.effect("goes by the node's own preference of sources", () =>
    Effect.gen(function* () {
      yield* (yield* LiveConfig).apply(offer("disk", "1"))
      yield* (yield* Reload).declarativeFile
      assert.deepInclude(yield* serving, { source: "declarative_file", digit: "f" })
      yield* (yield* LiveConfig).apply(offer("control_plane", "2"))
      yield* (yield* Reload).declarativeFile
      assert.deepInclude(yield* serving, { source: "control_plane", digit: "2" })
    }).pipe(Effect.provide(node(files(), { ...joined, config_sources: "control_plane, declarative_file, disk" })))
  )

  it.effect("is not read where config_sources leaves it out", () =>
    Effect.gen(function* () {
      yield* (yield* Reload).all
      assert.deepInclude(yield* serving, { source: "empty" })
    }).pipe(Effect.provide(node(files({ state: "own" }), { config_sources: "disk" })))
  )

  it.effect("beside a control plane never replaces what came from there", () =>
    Effect.gen(function* () {
      yield* (yield* LiveConfig).apply(offer("control_plane", "1"))
      yield* (yield* Reload).declarativeFile
      assert.deepEqual(yield* serving, { source: "control_plane", digit: "1", rejected: undefined })
    }).pipe(Effect.provide(node(files(), joined)))
  )
})

describe("the cache, changed by hand (resilience.md §4)", () => {
  it.effect(
    "is served while no session is live, over what the control plane gave; the control plane's return wins",
    () =>
      Effect.gen(function* () {
        const live = yield* LiveConfig
        yield* live.apply(offer("control_plane", "1"))
        yield* connect("disconnected")
        yield* (yield* Reload).cache
        assert.deepInclude(yield* serving, { source: "disk", digit: "d" })
        // The same configuration as before the change, under the same hash.
        const { isNew } = yield* live.apply(offer("control_plane", "1"))
        assert.isTrue(isNew)
        assert.deepInclude(yield* serving, { source: "control_plane", digit: "1" })
      }).pipe(Effect.provide(node(files(), joined)))
  )

  it.effect("is left alone while a session is live, and taken on request once it is gone", () =>
    Effect.gen(function* () {
      yield* (yield* LiveConfig).apply(offer("control_plane", "1"))
      yield* connect("connected")
      yield* (yield* Reload).all
      assert.deepInclude(yield* serving, { source: "control_plane", digit: "1" })
      yield* connect("disconnected")
      yield* (yield* Reload).all
      assert.deepInclude(yield* serving, { source: "disk", digit: "d" })
    }).pipe(Effect.provide(node(files(), joined)))
  )

  it.effect("is not mistaken: the node's own file, an absent one and one that was read before change nothing", () => {
    const written = files({ state: "own" })
    return Effect.gen(function* () {
      yield* (yield* LiveConfig).apply(offer("control_plane", "1"))
      yield* (yield* Reload).cache
      for (const state of ["absent", "known"] as const) {
        written.state = state
        yield* (yield* Reload).cache
      }
      assert.deepEqual(yield* serving, { source: "control_plane", digit: "1", rejected: undefined })
    }).pipe(Effect.provide(node(written, joined)))
  })

  it.effect("loses against a configuration that arrives while it is being read", () => {
    const written = files()
    return Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply(offer("control_plane", "1"))
      for (const arriving of ["1", "2"]) {
        written.state = "foreign"
        written.cache = live
          .apply(offer("control_plane", arriving))
          .pipe(Effect.orDie, Effect.as(candidate(offer("disk", "d"), written.outcomes)))
        yield* (yield* Reload).cache
        assert.deepInclude(yield* serving, { source: "control_plane", digit: arriving })
      }
      assert.deepEqual(written.outcomes, [], "nothing is wrong with it: it is not put away")
    }).pipe(Effect.provide(node(written, joined)))
  })

  it.effect("when it is bad leaves what serves, and the status tells why", () => {
    const written = files({ cache: Effect.succeed(unusable("/prefix/config.json.gz", "expected gzip")) })
    return Effect.gen(function* () {
      yield* (yield* LiveConfig).apply(offer("control_plane", "1"))
      yield* (yield* Reload).cache
      const { digit, rejected } = yield* serving
      assert.deepEqual([digit, rejected], ["1", "/prefix/config.json.gz: expected gzip"])
      written.state = "foreign"
      const wrong = { ...offer("disk", "d"), raw: { ...table(), nonsense: [1] } }
      written.cache = Effect.succeed(candidate(wrong, written.outcomes))
      yield* (yield* Reload).cache
      assert.deepEqual(written.outcomes, ["refused"])
      assert.match((yield* serving).rejected ?? "", /nonsense/)
      assert.deepInclude(yield* serving, { source: "control_plane", digit: "1" })
    }).pipe(Effect.provide(node(written, joined)))
  })

  it.effect("with what serves already in it takes nothing from the better source", () =>
    Effect.gen(function* () {
      yield* (yield* LiveConfig).apply(offer("control_plane", "d", "/d"))
      yield* (yield* Reload).cache
      assert.deepInclude(yield* serving, { source: "control_plane", digit: "d" })
    }).pipe(Effect.provide(node(files(), joined)))
  )
})

const reloadAll = Effect.flatMap(Reload, (reload) => reload.all)

/** Asks for both files, and gives the disk its two seconds. */
const askedForBoth = Effect.gen(function* () {
  const asking = yield* Effect.forkChild(reloadAll, { startImmediately: true })
  yield* TestClock.adjust("2 seconds")
  yield* settle
  return asking.pollUnsafe() !== undefined
})

describe("both files, one of them on a disk that does not answer", () => {
  it.effect("are looked at all the same: the declarative file serves, and the cache comes too late for it", () => {
    let hasAnswered = false
    const answered = Effect.sync(() => {
      hasAnswered = true
      return candidate(offer("disk", "d"))
    }).pipe(Effect.delay("1 minute"))
    return Effect.gen(function* () {
      assert.isTrue(yield* Effect.scoped(askedForBoth))
      assert.deepInclude(yield* serving, { source: "declarative_file", digit: "f" })
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.isTrue(hasAnswered, "it goes on for as long as the node lives")
      assert.deepInclude(yield* serving, { source: "declarative_file", digit: "f" })
    }).pipe(Effect.provide(node(files({ cache: answered }))))
  })

  it.effect("are looked at again when they are asked for again", () => {
    const written = files({ state: "own", declarative: Effect.never })
    return Effect.gen(function* () {
      assert.isTrue(yield* askedForBoth)
      assert.deepInclude(yield* serving, { source: "empty" })
      written.state = "foreign"
      assert.isTrue(yield* askedForBoth)
      assert.deepInclude(yield* serving, { source: "disk", digit: "d" })
    }).pipe(Effect.provide(node(written)))
  })

  it.effect("are looked at in their order, however slow the disk is that answers", () => {
    const slow = Effect.as(Effect.sleep("1 minute"), candidate(offer("disk", "d")))
    return Effect.gen(function* () {
      assert.isFalse(yield* askedForBoth)
      assert.deepInclude(yield* serving, { source: "empty" })
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.deepInclude(yield* serving, { source: "declarative_file", digit: "f" })
      assert.strictEqual((yield* SubscriptionRef.get((yield* LiveConfig).state)).acceptedCount, 2)
    }).pipe(Effect.provide(node(files({ cache: slow })).pipe(Layer.provide(Layer.succeed(DiskSilence, Effect.never)))))
  })
})

describe("following the files", () => {
  it.effect("goes on after a defect; the declarative file is followed only when asked for", () =>
    Effect.gen(function* () {
      const watched: Array<string> = []
      const written = files({ cache: Effect.die("bug") })
      const watch = Layer.succeed(FileWatch, {
        watch: (file) =>
          Effect.sync(() => {
            watched.push(file)
            return { changed: Effect.sleep("1 second") }
          })
      })
      const check = Effect.gen(function* () {
        yield* (yield* LiveConfig).apply(offer("control_plane", "1"))
        yield* yield* LocalReload.beginFollowing
        assert.strictEqual(written.adopted, 1, "what stands there when the node starts is no change")
        yield* TestClock.adjust("1 second")
        yield* settle
        written.state = "foreign"
        written.cache = Effect.succeed(candidate(offer("disk", "d")))
        yield* TestClock.adjust("3 seconds")
        yield* settle
        assert.deepInclude(yield* serving, { source: "disk", digit: "d" })
      })
      yield* check.pipe(Effect.scoped, Effect.provide([node(written, joined), watch]))
      assert.deepEqual(watched, ["/prefix/config.json.gz"])
      const both = { ...joined, declarative_config_watch: "on" }
      yield* LocalReload.beginFollowing.pipe(Effect.scoped, Effect.provide([node(files(), both), watch]))
      assert.deepEqual(watched.slice(1), ["/kong.yml", "/prefix/config.json.gz"])
    })
  )

  it.effect("begins without a disk that does not answer: what is adopted later is no change either", () =>
    Effect.gen(function* () {
      const written = files({ state: "own" })
      const slowly = Layer.effect(
        ConfigCache,
        Effect.map(ConfigCache, (cache) => {
          const byHand = cache.byHand ?? assert.fail("not followed")
          return { ...cache, byHand: { ...byHand, adopt: Effect.delay(byHand.adopt, "1 minute") } }
        })
      ).pipe(Layer.provide(node(written, joined)))
      const watch = Layer.succeed(FileWatch, { watch: () => Effect.succeed({ changed: Effect.never }) })
      yield* Effect.gen(function* () {
        const beginning = yield* Effect.forkChild(LocalReload.beginFollowing, { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        yield* settle
        assert.isDefined(beginning.pollUnsafe())
        assert.strictEqual(written.adopted, 0)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(written.adopted, 1)
      }).pipe(Effect.scoped, Effect.provide(slowly), Effect.provide([node(written, joined), watch]))
    })
  )
})
