/**
 * What every rung keeps (`src/services/Rung.ts`; `DESIGN.md`, "The life of a node", 2 and 3; `resilience.md` §2 to §4),
 * whatever it is made of: each rung's tests and each twin's run this suite.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, type Scope } from "effect"
import type { Row } from "../../src/model/Entity.ts"
import type { RungSource, Snapshot } from "../../src/model/Snapshot.ts"
import type { WritableRung } from "../../src/services/ConfigCache.ts"
import { ConfigRejected } from "../../src/services/LiveConfig.ts"
import type { Candidate, Rung, RungAnswer } from "../../src/services/Rung.ts"
import { snapshotOf, table } from "../support/tables.ts"

/** One rung's world, as whoever looks after it may change it. */
export interface RungWorld {
  readonly source: RungSource
  /** As a node finds it that starts now. */
  readonly start: Effect.Effect<Rung>
  /** Something right lies there: `marker` is a path of its one route. */
  readonly put: (raw: Row) => Effect.Effect<void>
  /** What lies there can't be read any more. */
  readonly damage: Effect.Effect<void>
  readonly remove: Effect.Effect<void>
  /** What lies there, if a person put it there and it was refused, stays under its name. */
  readonly keepsRefused: boolean
  /** A rung that keeps what it was given, and older ones; for how many, and what lies in quarantine. */
  readonly writable?: {
    readonly start: Effect.Effect<WritableRung>
    readonly generationsMax: number
    /** The older one that is this many steps behind the current one, from 1. */
    readonly damageOlder: (steps: number) => Effect.Effect<void>
    readonly olderCount: Effect.Effect<number>
    readonly quarantineCount: Effect.Effect<number>
    readonly quarantineMax: number
  }
}

const refusal = (source: RungSource) =>
  new ConfigRejected({ source, hash: undefined, stage: "schema", faults: [{ path: [], message: "not this one" }] })

const pathOf = ({ offer }: Candidate): string => String((offer.raw.routes as ReadonlyArray<Row>)[0]?.paths)

/** Goes through all that a rung has, as the ladder does, with a judge in the place of LiveConfig. */
export const goThrough = Effect.fnUntraced(function* (
  rung: Pick<Rung, "offer" | "source">,
  isRight: (path: string) => boolean
) {
  const offered: Array<string> = []
  let unusable = 0
  let answer: RungAnswer = yield* rung.offer
  for (;;) {
    assert.isBelow(offered.length + unusable, 50, "a rung comes to an end")
    if (answer._tag === "Nothing") {
      assert.isNotEmpty(answer.reason)
      return { offered, unusable, serves: undefined, reason: answer.reason }
    }
    if (answer._tag === "Unusable") {
      assert.isNotEmpty(answer.stage)
      assert.isNotEmpty(answer.faults)
      unusable++
      answer = yield* answer.next
    } else {
      const path = pathOf(answer)
      assert.strictEqual(answer.offer.source, rung.source)
      assert.match(answer.offer.hash ?? "", /^.{32}$/)
      assert.notInclude(offered, path, "what was refused is not offered again")
      offered.push(path)
      if (isRight(path)) {
        yield* answer.served
        return { offered, unusable, serves: path, reason: undefined }
      }
      answer = yield* answer.refused(refusal(rung.source))
    }
  }
})

const all = () => true
const none = () => false

/** `isWritten` says whether the world has a `writable`: a rung that nobody writes into skips what is asked of the others. */
export const rungConformance = (
  name: string,
  isWritten: boolean,
  make: Effect.Effect<RungWorld, never, Scope.Scope>
): void => {
  const test = (says: string, body: (world: RungWorld) => Effect.Effect<void>) =>
    it.live(says, () => Effect.flatMap(make, body).pipe(Effect.provide(Logger.layer([]))))

  const written = (
    says: string,
    body: (writable: NonNullable<RungWorld["writable"]>, world: RungWorld) => Effect.Effect<void>
  ) =>
    isWritten
      ? test(says, (world) => (world.writable === undefined ? Effect.die("not writable") : body(world.writable, world)))
      : it.skip(`${says} (nobody writes into this rung)`, () => {})

  const write = (rung: WritableRung, path: string) =>
    Effect.orDie(rung.write(snapshotOf(table(path)) satisfies Snapshot))

  describe(`${name} is a rung`, () => {
    test("has nothing, with a reason, where nothing is", (world) =>
      Effect.gen(function* () {
        const { serves, offered, unusable } = yield* goThrough(yield* world.start, all)
        assert.deepEqual([serves, offered, unusable], [undefined, [], 0])
      }))

    test("offers what lies there, as often as it is asked, with its source and a name", (world) =>
      Effect.gen(function* () {
        yield* world.put(table("/a"))
        const rung = yield* world.start
        assert.strictEqual(rung.source, world.source)
        for (const _ of [1, 2]) assert.deepInclude(yield* goThrough(rung, all), { serves: "/a", offered: ["/a"] })
        const answer = yield* rung.offer
        assert(answer._tag === "Candidate")
        assert.deepEqual(answer.offer.raw, table("/a"))
        assert.isDefined(answer.offer.place)
      }))

    test("offers the newest, and nothing once it is taken away", (world) =>
      Effect.gen(function* () {
        const rung = yield* world.start
        for (const path of ["/a", "/b"]) {
          yield* world.put(table(path))
          assert.strictEqual((yield* goThrough(rung, all)).serves, path)
        }
        yield* world.remove
        assert.strictEqual((yield* goThrough(rung, all)).serves, undefined)
        assert.strictEqual((yield* goThrough(yield* world.start, all)).serves, undefined)
      }))

    test("says at which step something is unusable, and comes to an end", (world) =>
      Effect.gen(function* () {
        yield* world.put(table("/a"))
        yield* world.damage
        assert.deepInclude(yield* goThrough(yield* world.start, all), { serves: undefined, unusable: 1 })
        // Whatever became of it, it is not in the way of the next start.
        assert.strictEqual((yield* goThrough(yield* world.start, all)).serves, undefined)
        yield* world.put(table("/b"))
        assert.strictEqual((yield* goThrough(yield* world.start, all)).serves, "/b")
      }))

    test("takes a refusal of what it offered, and leaves its author's file alone", (world) =>
      Effect.gen(function* () {
        yield* world.put(table("/a"))
        assert.deepInclude(yield* goThrough(yield* world.start, none), { serves: undefined, offered: ["/a"] })
        const again = yield* goThrough(yield* world.start, none)
        assert.deepEqual(again.offered, world.keepsRefused ? ["/a"] : [])
      }))

    test("starts from anywhere: two starts side by side, and an answer that nobody follows up", (world) =>
      Effect.gen(function* () {
        yield* world.put(table("/a"))
        yield* (yield* world.start).offer
        const [one, two] = [yield* world.start, yield* world.start]
        assert.strictEqual((yield* goThrough(one, all)).serves, "/a")
        assert.strictEqual((yield* goThrough(two, all)).serves, "/a")
      }))

    written("offers after a restart what was written last", (writable) =>
      Effect.gen(function* () {
        const rung = yield* writable.start
        for (const path of ["/a", "/b", "/c"]) {
          yield* write(rung, path)
          assert.strictEqual((yield* goThrough(yield* writable.start, all)).serves, path)
        }
      })
    )

    written(
      "falls back, newest first, when the current one is damaged; what serves is the current one then",
      (writable, world) =>
        Effect.gen(function* () {
          const rung = yield* writable.start
          for (const path of ["/a", "/b", "/c", "/d"]) yield* write(rung, path)
          yield* world.damage
          yield* writable.damageOlder(1)
          assert.deepInclude(yield* goThrough(yield* writable.start, all), { serves: "/b", unusable: 2 })
          assert.deepInclude(yield* goThrough(yield* writable.start, all), {
            serves: "/b",
            unusable: 0,
            offered: ["/b"]
          })
          assert.strictEqual(yield* writable.quarantineCount, 2)
          assert.strictEqual(yield* writable.olderCount, 1)
        })
    )

    written("falls back from what is refused as from what is damaged", (writable) =>
      Effect.gen(function* () {
        const rung = yield* writable.start
        for (const path of ["/a", "/b", "/c"]) yield* write(rung, path)
        assert.deepInclude(yield* goThrough(yield* writable.start, (path) => path === "/a"), {
          serves: "/a",
          offered: ["/c", "/b", "/a"]
        })
        assert.deepInclude(yield* goThrough(yield* writable.start, all), { offered: ["/a"] })
      })
    )

    written("asks for no older one where there is no current one: deleted means forget", (writable, world) =>
      Effect.gen(function* () {
        const rung = yield* writable.start
        for (const path of ["/a", "/b"]) yield* write(rung, path)
        yield* world.remove
        assert.deepInclude(yield* goThrough(yield* writable.start, all), {
          serves: undefined,
          offered: [],
          unusable: 0
        })
        // What was written before the deletion is older than what comes after it, and no more.
        yield* write(yield* writable.start, "/c")
        yield* world.damage
        assert.strictEqual((yield* goThrough(yield* writable.start, all)).serves, "/a")
      })
    )

    written("keeps so many older ones and no more, the newest; and so much in quarantine", (writable, world) =>
      Effect.gen(function* () {
        const rung = yield* writable.start
        for (let n = 0; n < writable.generationsMax + 4; n++) {
          yield* write(rung, `/${n}`)
          assert.isAtMost(yield* writable.olderCount, writable.generationsMax)
        }
        assert.strictEqual(yield* writable.olderCount, writable.generationsMax)
        for (let n = 0; n < writable.quarantineMax + 4; n++) {
          yield* world.put(table(`/refused${n}`))
          yield* goThrough(yield* writable.start, (path) => !path.startsWith("/refused"))
          assert.isAtMost(yield* writable.quarantineCount, writable.quarantineMax)
        }
        assert.strictEqual(yield* writable.quarantineCount, writable.quarantineMax)
      })
    )

    written("does not write what is not wanted any more", (writable) =>
      Effect.gen(function* () {
        const rung = yield* writable.start
        yield* write(rung, "/a")
        yield* Effect.orDie(rung.write(snapshotOf(table("/b")), Effect.succeed(false)))
        assert.strictEqual((yield* goThrough(yield* writable.start, all)).serves, "/a")
      })
    )

    written(
      "knows a person's file from its own (resilience.md §4), also after it moved one itself",
      (writable, world) =>
        Effect.gen(function* () {
          yield* write(yield* writable.start, "/a")
          const rung = yield* writable.start
          const { byHand } = rung
          assert(byHand !== undefined)
          yield* goThrough(rung, all)
          assert.strictEqual(yield* byHand.state, "own")
          yield* write(rung, "/b")
          assert.strictEqual(yield* byHand.state, "own")
          yield* world.put(table("/hand"))
          assert.strictEqual(yield* byHand.state, "foreign")
          const given = { source: rung.source, offer: byHand.offer }
          assert.strictEqual((yield* goThrough(given, all)).serves, "/hand")
          assert.strictEqual(yield* byHand.state, "known")
          yield* world.damage
          assert.strictEqual(yield* byHand.state, "foreign")
          assert.deepInclude(yield* goThrough(given, all), { serves: undefined, unusable: 1 })
          assert.strictEqual(yield* byHand.state, "known", "refused by hand, it stays where the person put it")
          const next = yield* writable.start
          yield* goThrough(next, all)
          assert.strictEqual(yield* next.byHand?.state ?? Effect.die("not followed"), "own")
          yield* world.remove
          assert.strictEqual(yield* byHand.state, "absent")
        })
    )
  })
}
