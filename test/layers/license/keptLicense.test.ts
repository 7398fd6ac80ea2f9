/**
 * The licence of the configuration over restarts, whichever configuration serves: `faults.md`, "licence state survives
 * restart", "corrupt rung => next rung"; `DESIGN.md`, "The life of a node", 7. All on virtual time.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, MutableRef, type Scope, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import type { Row } from "../../../src/model/Entity.ts"
import { decodeKeptLicense } from "../../../src/model/KeptLicense.ts"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import type { RungSource } from "../../../src/model/Snapshot.ts"
import { LicenseGuard } from "../../../src/services/LicenseGuard.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { makeBench } from "../../support/licenseGuard.ts"
import { licenseUntil, publicPem } from "../../support/licenses.ts"
import { joined, settle } from "../../support/live.ts"
import { table } from "../../support/tables.ts"

const expired = licenseUntil("2026-01-01")
const renewed = licenseUntil("2027-01-01")
const bad = "no licence"

const start = Effect.andThen(TestClock.setTime(Date.parse("2026-02-01")), makeBench)
type Bench = Effect.Success<typeof makeBench>

interface Given {
  readonly payload: unknown
  readonly updated_at?: number | null
}

const stateNow = Effect.gen(function* () {
  const { state, refusal } = yield* LicenseGuard
  const { state: standing } = yield* SubscriptionRef.get(state)
  return `${standing}, ${MutableRef.get(refusal) === undefined ? "serves" : "stops"}`
})

const hashOf = (raw: Row): string =>
  Buffer.from(JSON.stringify(raw.licenses ?? []))
    .toString("hex")
    .slice(-32)
    .padStart(32, "0")

/** A configuration with this licence, or none, of this source serves from now on. */
const give = Effect.fnUntraced(function* (source: RungSource, ...given: ReadonlyArray<Given>) {
  const live = yield* LiveConfig
  const licenses = given.map((row) => ({ id: "30f06b7f-4bbd-4f2f-9d9d-9c7d1a0a1111", created_at: 1, ...row }))
  const raw = table("/a", licenses.length === 0 ? {} : { licenses })
  const byHand = { after: (yield* SubscriptionRef.get(live.state)).acceptedCount }
  yield* live.apply({ raw, source, hash: hashOf(raw), receivedAtMs: 0, byHand })
  yield* settle
  return yield* stateNow
})

/** One life of a node on this bench: what it kept from the lives before is there. No fiber of it fails. */
const life = <A, E>(
  bench: Bench,
  story: Effect.Effect<A, E, LicenseGuard | LiveConfig | Scope.Scope>,
  given: Partial<Record<SettingName, string>> = {}
) =>
  Effect.andThen(settle, story).pipe(
    Effect.provide(bench.layer({ ...joined, ...given })),
    Effect.scoped,
    Effect.tap(() => Effect.sync(() => assert.deepStrictEqual(bench.failures, [])))
  )

const keptBy = ({ kept }: Bench) => (kept.text === undefined ? undefined : decodeKeptLicense(kept.text))

const file = "/prefix/license.kept"
const unread = "kept licence can't be read; going on without it"
const leftAside = "licence of an older configuration left aside"

/** The facts of each time that this was told. */
const factsOf = ({ log }: Bench, message: string) =>
  log.flatMap((line) => (line.message === message ? [line.facts] : []))

describe("the newest licence is kept over restarts", () => {
  it.effect(
    "an older configuration on the disk does not bring back the licence from before its renewal, told once",
    () =>
      Effect.gen(function* () {
        const bench = yield* start
        for (const source of ["control_plane", "disk"] as const) {
          bench.kept.text = undefined
          yield* life(bench, give(source, { payload: renewed, updated_at: 20 }))
          assert.deepStrictEqual(keptBy(bench), { updatedAt: 20, text: renewed })
          bench.told()
          yield* life(
            bench,
            Effect.gen(function* () {
              const older = { payload: expired, updated_at: 10 }
              assert.strictEqual(yield* give("disk", older), "valid, serves")
              assert.strictEqual(yield* give("disk"), "none, serves")
              assert.strictEqual(yield* give("disk", older), "valid, serves")
            })
          )
          assert.deepStrictEqual(factsOf(bench, leftAside), [{ source: "disk", because: "a newer one is kept", file }])
          assert.deepStrictEqual(factsOf(bench, unread), [])
          assert.deepStrictEqual(keptBy(bench), { updatedAt: 20, text: renewed })
        }
      })
  )

  it.effect("nor does a declarative file below the disk, whose own licence is not kept", () =>
    Effect.gen(function* () {
      const bench = yield* start
      yield* life(bench, give("declarative_file", { payload: renewed, updated_at: 30 }))
      assert.isUndefined(keptBy(bench))
      yield* life(bench, give("control_plane", { payload: renewed, updated_at: 20 }))
      assert.strictEqual(
        yield* life(bench, give("declarative_file", { payload: expired, updated_at: 10 })),
        "valid, serves"
      )
    })
  )

  it.effect("a file that this node prefers to the disk, as a node on its own does, counts as it stands", () =>
    Effect.gen(function* () {
      const bench = yield* start
      yield* life(bench, give("control_plane", { payload: expired, updated_at: 20 }))
      const preferred = { config_sources: "control_plane,declarative_file,disk" }
      const file = give("declarative_file", { payload: renewed, updated_at: 10 })
      assert.strictEqual(yield* life(bench, file), "expired, stops")
      assert.strictEqual(yield* life(bench, file, preferred), "valid, serves")
      // And it is what stood before, not what was kept.
      const thenBad = Effect.andThen(file, give("control_plane", { payload: bad, updated_at: 21 }))
      assert.strictEqual(yield* life(bench, thenBad, preferred), "valid, serves")
    })
  )

  it.effect("what the control plane sends counts as it is, be it older, and is kept in its place", () =>
    Effect.gen(function* () {
      const bench = yield* start
      yield* life(bench, give("control_plane", { payload: renewed, updated_at: 20 }))
      const older = { payload: expired, updated_at: 10 }
      yield* life(
        bench,
        Effect.gen(function* () {
          assert.strictEqual(yield* give("disk", older), "valid, serves")
          // The very same configuration: what changes is who says it.
          assert.strictEqual(yield* give("control_plane", older), "expired, stops")
        })
      )
      assert.deepStrictEqual(keptBy(bench), { updatedAt: 10, text: expired })
    })
  )

  it.effect("what the control plane took away does not come back, until something newer comes", () =>
    Effect.gen(function* () {
      const bench = yield* start
      yield* life(
        bench,
        Effect.gen(function* () {
          assert.strictEqual(yield* give("control_plane", { payload: expired, updated_at: 20 }), "expired, stops")
          assert.strictEqual(yield* give("control_plane"), "none, serves")
        })
      )
      assert.deepStrictEqual(keptBy(bench), { updatedAt: 20, text: undefined })
      const stands = (updated_at: number) => life(bench, give("disk", { payload: expired, updated_at }))
      bench.told()
      assert.strictEqual(yield* stands(10), "none, serves")
      const because = "the control plane took it away since"
      assert.deepStrictEqual(factsOf(bench, leftAside), [{ source: "disk", because, file }])
      assert.strictEqual(yield* stands(20), "none, serves")
      assert.strictEqual(yield* stands(30), "expired, stops")
      assert.deepStrictEqual(keptBy(bench), { updatedAt: 30, text: expired })
    })
  )

  it.effect("what a person put into the cache counts: under the same date, under none, and that there is none", () =>
    Effect.gen(function* () {
      for (const given of [[{ payload: renewed, updated_at: 20 }], [{ payload: renewed }], []]) {
        const bench = yield* start
        yield* life(bench, give("control_plane", { payload: expired, updated_at: 20 }))
        const state = given.length === 0 ? "none, serves" : "valid, serves"
        assert.strictEqual(yield* life(bench, give("disk", ...given)), state)
        assert.strictEqual(yield* life(bench, give("disk", ...given)), state)
      }
    })
  )

  it.effect(
    "a malformed one leaves what stood before it, in an earlier life as well: no restart is a way to serve",
    () =>
      Effect.gen(function* () {
        for (const source of ["disk", "control_plane", "declarative_file"] as const) {
          const bench = yield* start
          yield* life(
            bench,
            Effect.gen(function* () {
              assert.strictEqual(yield* give("control_plane", { payload: expired, updated_at: 20 }), "expired, stops")
              assert.strictEqual(yield* give("control_plane", { payload: bad, updated_at: 21 }), "expired, stops")
            })
          )
          for (const payload of [bad, { license: 1 }])
            assert.strictEqual(yield* life(bench, give(source, { payload, updated_at: 21 })), "expired, stops", source)
          assert.deepStrictEqual(keptBy(bench), { updatedAt: 20, text: expired })
          // What stood before in this life is nearer.
          const inOneLife = Effect.andThen(give(source), give(source, { payload: bad, updated_at: 21 }))
          assert.strictEqual(yield* life(bench, inOneLife), "malformed, serves", source)
          // Without anything that stood before, it restricts nothing.
          bench.kept.text = undefined
          assert.strictEqual(yield* life(bench, give(source, { payload: bad, updated_at: 21 })), "malformed, serves")
        }
      })
  )

  it.effect("one that this node would refuse by now is as good as none", () =>
    Effect.gen(function* () {
      const bench = yield* start
      const foreign = licenseUntil("2027-01-01", {}, 2)
      yield* life(bench, give("control_plane", { payload: foreign, updated_at: 20 }))
      const strict = { license_require_signature: "on", license_public_key: publicPem(1) }
      assert.strictEqual(
        yield* life(bench, give("disk", { payload: renewed, updated_at: 10 }), strict),
        "valid, serves"
      )
    })
  )

  it.effect("it is written when it changes, and only then", () =>
    Effect.gen(function* () {
      const bench = yield* start
      const newest = { payload: renewed, updated_at: 20 }
      yield* life(
        bench,
        Effect.gen(function* () {
          yield* give("control_plane")
          assert.strictEqual(bench.kept.writes, 0)
          for (const source of ["disk", "control_plane", "disk", "control_plane"] as const) yield* give(source, newest)
          yield* give("disk", { payload: expired, updated_at: 10 })
          assert.strictEqual(bench.kept.writes, 1)
        })
      )
      yield* life(bench, give("disk", newest))
      assert.strictEqual(bench.kept.writes, 1)
      yield* life(bench, give("control_plane", { ...newest, updated_at: 21 }))
      assert.deepStrictEqual(keptBy(bench), { updatedAt: 21, text: renewed }, "its date alone is news as well")
      assert.strictEqual(bench.kept.writes, 2)
    })
  )
})

describe("a disk that can't keep the licence costs just that", () => {
  it.effect("a cache that keeps none apart costs nothing else", () =>
    Effect.gen(function* () {
      const bench = yield* start
      bench.kept.isOffered = false
      yield* life(
        bench,
        Effect.gen(function* () {
          assert.strictEqual(yield* give("control_plane", { payload: expired, updated_at: 20 }), "expired, stops")
          assert.strictEqual(yield* give("control_plane", { payload: renewed, updated_at: 21 }), "valid, serves")
          assert.strictEqual(yield* give("disk", { payload: expired, updated_at: 20 }), "valid, serves")
        })
      )
      assert.strictEqual(yield* life(bench, give("disk", { payload: expired, updated_at: 20 })), "expired, stops")
    })
  )

  it.effect("it is told once, tried again, and written at last", () =>
    Effect.gen(function* () {
      const bench = yield* start
      bench.kept.fails = "writes"
      yield* life(
        bench,
        Effect.gen(function* () {
          assert.strictEqual(yield* give("control_plane", { payload: renewed, updated_at: 20 }), "valid, serves")
          yield* TestClock.adjust("10 minutes")
          const failures = bench.told().filter((line) => line.includes("kept apart"))
          assert.deepStrictEqual(failures, ["Warn licence can't be kept apart; trying again"])
          assert.strictEqual(yield* give("disk", { payload: expired, updated_at: 10 }), "valid, serves", "in this life")
          bench.kept.fails = "no"
          yield* TestClock.adjust("1 minute")
          yield* settle
          assert.deepStrictEqual(keptBy(bench), { updatedAt: 20, text: renewed })
        })
      )
    })
  )

  it.effect("what can't be read, or is none, is told, and replaced by the next licence", () =>
    Effect.gen(function* () {
      for (const [fails, text, cause] of [
        ["reads", undefined, "EIO"],
        ["no", "{", "expected a licence as it is kept"]
      ] as const) {
        const bench = yield* start
        Object.assign(bench.kept, { fails, text })
        yield* life(
          bench,
          Effect.gen(function* () {
            assert.deepStrictEqual(factsOf(bench, unread), [{ file, cause }])
            assert.deepStrictEqual(bench.told(), [`Warn ${unread}`])
            bench.kept.fails = "no"
            assert.strictEqual(yield* give("disk", { payload: expired, updated_at: 10 }), "expired, stops")
          })
        )
        assert.deepStrictEqual(keptBy(bench), { updatedAt: 10, text: expired })
      }
    })
  )

  it.effect("one that never answers delays a start by five seconds, a stop by two, and no judgement", () =>
    Effect.gen(function* () {
      const bench = yield* start
      bench.kept.fails = "hangs"
      const states: Array<string> = []
      const story = Effect.gen(function* () {
        states.push(yield* give("control_plane", { payload: expired, updated_at: 20 }))
        states.push(yield* give("control_plane", { payload: renewed, updated_at: 21 }))
      })
      const living = yield* Effect.forkScoped(life(bench, story), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual(states, [])
      yield* TestClock.adjust("1 millis")
      for (let i = 0; i < 8; i++) yield* settle
      assert.deepStrictEqual(states, ["expired, stops", "valid, serves"])
      assert.deepStrictEqual(factsOf(bench, unread), [{ file, cause: "the disk does not answer" }])
      assert.isUndefined(living.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      yield* settle
      yield* Fiber.join(living)
    }).pipe(Effect.scoped)
  )
})
