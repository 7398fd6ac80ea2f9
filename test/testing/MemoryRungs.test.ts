/** The twins keep what the real rungs keep. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type MemoryCache, makeMemoryCache, makeMemoryFile, tableHeld } from "../../src/testing/MemoryRungs.ts"
import { type RungWorld, rungConformance } from "../conformance/rung.ts"
import { snapshotOf, table } from "../support/tables.ts"

const damaged = () => ({ _tag: "Damaged" }) as const

const generationsMax = 3

const cacheWorld = (cache: MemoryCache): RungWorld => {
  const set = (change: () => void) => Effect.sync(change)
  return {
    source: "disk",
    start: Effect.sync(cache.start),
    put: (raw) =>
      set(() => {
        cache.current = tableHeld(raw)
      }),
    damage: set(() => {
      cache.current = damaged()
    }),
    remove: set(() => {
      cache.current = undefined
    }),
    keepsRefused: false,
    writable: {
      start: Effect.sync(cache.start),
      generationsMax,
      damageOlder: (steps) =>
        set(() => {
          cache.generations = cache.generations.map((held, at) => (at === steps - 1 ? damaged() : held))
        }),
      olderCount: Effect.sync(() => cache.generations.length),
      quarantineCount: Effect.sync(() => cache.quarantine.length),
      quarantineMax: 10
    }
  }
}

rungConformance(
  "the cache in memory",
  true,
  Effect.sync(() => cacheWorld(makeMemoryCache(generationsMax)))
)

describe("the cache in memory, changed by hand and back", () => {
  it.effect("is changed by both", () =>
    Effect.gen(function* () {
      const memory = makeMemoryCache()
      const { write, byHand = assert.fail("nobody changes it") } = memory.start()
      yield* write(snapshotOf(table("/a")))
      const { current: own } = memory
      const hand = tableHeld(table("/hand"))
      memory.current = hand
      yield* byHand.offer
      memory.current = own
      assert.strictEqual(yield* byHand.state, "foreign")
      yield* write(snapshotOf(table("/b")))
      memory.current = hand
      assert.strictEqual(yield* byHand.state, "foreign")
    })
  )
})

rungConformance(
  "the declarative file in memory",
  false,
  Effect.sync((): RungWorld => {
    const file = makeMemoryFile()
    const set = (change: () => void) => Effect.sync(change)
    return {
      source: "declarative_file",
      start: Effect.sync(file.start),
      put: (raw) =>
        set(() => {
          file.held = tableHeld(raw)
        }),
      damage: set(() => {
        file.held = damaged()
      }),
      remove: set(() => {
        file.held = undefined
      }),
      keepsRefused: true
    }
  })
)
