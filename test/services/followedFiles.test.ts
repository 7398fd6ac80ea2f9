/** Which files a node follows, under which names it tells of trouble, and what it does without a cache (`resilience.md` §4). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { ConfigCache, type WritableRung } from "../../src/services/ConfigCache.ts"
import { ConnectionStatus } from "../../src/services/ConnectionStatus.ts"
import { DeclarativeConfig } from "../../src/services/DeclarativeConfig.ts"
import { FileWatch } from "../../src/services/FileWatch.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import * as LocalReload from "../../src/services/LocalReload.ts"
import { Reload } from "../../src/services/Reload.ts"
import { makeMemoryCache, makeMemoryFile, tableHeld } from "../../src/testing/MemoryRungs.ts"
import { joined, liveLayerFor, settle } from "../support/live.ts"
import { eventsInto, type LoggedEvent } from "../support/logged.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const given = { ...joined, declarative_config: "/kong.yml", declarative_config_watch: "on" }

/** A node with a declarative file and this cache, whose watch dies at each look. */
const node = (cache: WritableRung, watched: Array<string> = []) => {
  const file = makeMemoryFile()
  file.held = tableHeld(table("/file"))
  const watch = Layer.succeed(FileWatch, {
    watch: (path) =>
      Effect.sync(() => {
        watched.push(path)
        return { changed: Effect.andThen(Effect.sleep("1 second"), Effect.die(`no watch on ${path}`)) }
      })
  })
  const parts = Layer.mergeAll(
    liveLayerFor(given),
    settingsLayer(given),
    ConnectionStatus.layer,
    watch,
    Layer.succeed(ConfigCache, cache),
    Layer.succeed(DeclarativeConfig, file.start())
  )
  return LocalReload.layer.pipe(Layer.provideMerge(parts))
}

/** As one that `config_sources` leaves out. */
const unused = (): WritableRung => {
  const { byHand: _, ...rest } = makeMemoryCache().start()
  return rest
}

describe("following the files", () => {
  it.effect("tells by name which watch failed", () => {
    const events: Array<LoggedEvent> = []
    return Effect.gen(function* () {
      yield* yield* LocalReload.beginFollowing
      yield* settle
      assert.deepEqual(events, [])
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.deepEqual(events.map(({ message }) => message).sort(), [
        "cache watch failed; starting it again",
        "declarative file watch failed; starting it again"
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(node(makeMemoryCache().start())),
      Effect.provide(Logger.layer([eventsInto(events)]))
    )
  })
})

describe("a node that does not use its disk", () => {
  it.effect("follows the declarative file alone", () => {
    const watched: Array<string> = []
    return Effect.gen(function* () {
      yield* yield* LocalReload.beginFollowing
      assert.deepEqual(watched, ["/kong.yml"])
    }).pipe(Effect.scoped, Effect.provide(node(unused(), watched)))
  })

  it.effect("looks for no cache when it is asked to look again", () =>
    Effect.gen(function* () {
      const { all, cache } = yield* Reload
      yield* cache
      const { state } = yield* LiveConfig
      assert.deepInclude(yield* SubscriptionRef.get(state), { source: "empty" })
      yield* all
      assert.deepInclude(yield* SubscriptionRef.get(state), { source: "declarative_file" })
    }).pipe(Effect.provide(node(unused())))
  )
})
