/** `DESIGN.md`, "The life of a node", 7; sources and expiry: reference `resilience.md` §6. All on virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, MutableRef, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { licenseExpired } from "../../../src/model/GatewayError.ts"
import { LicenseGuard } from "../../../src/services/LicenseGuard.ts"
import { ConfigRejected, LiveConfig } from "../../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../../src/services/NodeHealth.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { configure, makeBench, prefixFile, seenOf } from "../../support/licenseGuard.ts"
import { licenseKey, licenseUntil, pemOf, publicPem } from "../../support/licenses.ts"
import { settle } from "../../support/live.ts"

const dayMs = 86_400_000
const at = (text: string): number => Date.parse(text)
const startAt = (text: string) => TestClock.setTime(at(text))

const report = Effect.flatMap(LicenseGuard, ({ state }) => SubscriptionRef.get(state))
const stateNow = Effect.map(report, ({ state, source }) => (source === undefined ? state : `${state} ${source}`))
/** What the request path would answer. */
const answer = Effect.map(LicenseGuard, ({ refusal }) => MutableRef.get(refusal)?.message ?? "serves")

const pass = Effect.fnUntraced(function* (duration: Duration.Input) {
  yield* TestClock.adjust(duration)
  yield* settle
})

describe("the licence's way", () => {
  it.effect("valid, warned of at 90, 30, 16, 7 and 1 days, expired at 00:00 UTC: each told once, at its instant", () =>
    Effect.gen(function* () {
      yield* startAt("2026-01-01T12:00:00Z")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        const now = (yield* TrustedClock).nowMs
        assert.deepStrictEqual(bench.told(), ["Info licence found"])
        assert.strictEqual(yield* stateNow, "valid prefix")
        const told: Array<readonly [string, ...ReadonlyArray<string>]> = []
        for (const daysBefore of [120, 90, 60, 30, 16, 8, 7, 6, 1, 0, -1]) {
          // What lies between is jumped over: only the last quarter of a minute runs by.
          const instantMs = at("2026-06-01") - daysBefore * dayMs
          yield* bench.jump(instantMs - 15_000 - (yield* now))
          yield* pass(14_999)
          assert.deepStrictEqual(bench.told(), [], "not a millisecond too early")
          yield* pass(1)
          const days = bench.log.map(({ facts }) => facts.daysLeft).join()
          const said = bench.told()
          if (said.length > 0) told.push([new Date(yield* now).toISOString(), ...said, days])
        }
        const warning = "Warn licence expires soon"
        assert.deepStrictEqual(told, [
          ["2026-03-03T00:00:00.000Z", warning, "90"],
          ["2026-05-02T00:00:00.000Z", warning, "30"],
          ["2026-05-16T00:00:00.000Z", warning, "16"],
          ["2026-05-25T00:00:00.000Z", warning, "7"],
          ["2026-05-31T00:00:00.000Z", warning, "1"],
          ["2026-06-01T00:00:00.000Z", "Error licence expired; every request is answered 503", "0"]
        ])
        assert.strictEqual(yield* answer, "license expired")
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect.each([
    { end: "of the licence", expires: "2026-06-01", days: "0", before: "expiring prefix" },
    { end: "of its days of grace", expires: "2026-05-29", days: "3", before: "grace prefix" }
  ])("stops at the very millisecond $end, not one before", ({ expires, days, before }) =>
    Effect.gen(function* () {
      yield* startAt("2026-05-31T23:59:45Z")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil(expires))
      yield* Effect.gen(function* () {
        yield* pass(14_999)
        assert.deepStrictEqual([yield* stateNow, yield* answer], [before, "serves"])
        yield* pass(1)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["expired prefix", "license expired"])
        const { refusal } = yield* LicenseGuard
        assert.strictEqual(MutableRef.get(refusal), licenseExpired)
        assert.deepInclude(MutableRef.get((yield* NodeHealth).license), { state: "expired", stops: true, daysLeft: 0 })
      }).pipe(Effect.provide(bench.layer({ license_grace_days: days })))
    })
  )

  it.effect("through its days of grace, which a restart neither gives again nor takes away", () =>
    Effect.gen(function* () {
      yield* startAt("2026-05-31T23:00:00Z")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      const given = { license_grace_days: "3" }
      yield* Effect.gen(function* () {
        yield* pass("1 hour")
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["grace prefix", "serves"])
        assert.strictEqual(bench.log.at(-1)?.facts.graceUntil, "2026-06-04T00:00:00.000Z")
        assert.include(bench.told(), "Warn licence expired; it counts on for its days of grace")
        yield* pass("71 hours")
        assert.strictEqual(yield* stateNow, "grace prefix")
      }).pipe(Effect.provide(bench.layer(given)))
      bench.told()
      yield* Effect.gen(function* () {
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["grace prefix", "serves"])
        yield* pass("59 minutes")
        assert.strictEqual(yield* answer, "serves")
        yield* pass("1 minute")
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["expired prefix", "license expired"])
        assert.deepStrictEqual(bench.told(), [
          "Info licence found",
          "Warn licence expired; it counts on for its days of grace",
          "Error licence expired; every request is answered 503"
        ])
      }).pipe(Effect.provide(bench.layer(given)))
      yield* Effect.gen(function* () {
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["expired prefix", "license expired"])
      }).pipe(Effect.provide(bench.layer(given)))
    })
  )

  it.effect("is judged before anything that needs the guard is built", () =>
    Effect.gen(function* () {
      yield* startAt("2026-07-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      const atOnce = yield* answer.pipe(Effect.provide(bench.layer()))
      assert.strictEqual(atOnce, "license expired")
    })
  )

  it.effect("with license_on_expiry=warn, never stops", () =>
    Effect.gen(function* () {
      yield* startAt("2026-05-31T23:59:59Z")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        bench.told()
        yield* pass("1 second")
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["expired prefix", "serves"])
        yield* bench.jump(4000 * dayMs)
        assert.strictEqual(yield* answer, "serves")
        assert.deepStrictEqual(bench.told(), ["Error licence expired; serving goes on, for license_on_expiry is warn"])
      }).pipe(Effect.provide(bench.layer({ license_on_expiry: "warn" })))
    })
  )

  it.effect("without a licence, nothing is restricted and nothing is told, whatever the time", () =>
    Effect.gen(function* () {
      const bench = yield* makeBench
      yield* Effect.gen(function* () {
        const seen = yield* seenOf((yield* LicenseGuard).state)
        yield* pass("10000 days")
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["none", "serves"])
        assert.lengthOf(seen, 1)
        assert.deepStrictEqual(bench.told(), [])
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("watchers hear of a change, not of each look", () =>
    Effect.gen(function* () {
      yield* startAt("2026-05-29T12:00:00Z")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        const seen = yield* seenOf((yield* LicenseGuard).state)
        yield* pass("5 days")
        const facts = seen.map(({ state, daysLeft }) => `${state} ${daysLeft}`)
        assert.deepStrictEqual(facts, ["expiring 3", "expiring 2", "expiring 1", "expired 0"])
      }).pipe(Effect.provide(bench.layer()))
    })
  )
})

describe("the clock (faults.md, clocks)", () => {
  it.effect("a believed jump forward expires at once; one back serves again, and says why", () =>
    Effect.gen(function* () {
      yield* startAt("2026-01-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        yield* bench.jump(200 * dayMs)
        assert.strictEqual(yield* answer, "license expired")
        bench.told()
        yield* bench.jump(-200 * dayMs)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["valid prefix", "serves"])
        assert.deepStrictEqual(bench.told(), [
          "Warn licence counts again, for the clock was set back",
          "Info requests are served again"
        ])
        yield* bench.jump(140 * dayMs)
        assert.deepStrictEqual(bench.told(), ["Warn licence expires soon"])
        yield* bench.jump(-100 * dayMs)
        yield* bench.jump(100 * dayMs)
        assert.deepStrictEqual(
          bench.told(),
          ["Warn licence counts again, for the clock was set back"],
          "a warning is given once for each licence"
        )
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("set back step by step, each standing is told as one that counts again", () =>
    Effect.gen(function* () {
      yield* startAt("2026-06-10")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* stateNow, "expired prefix")
        bench.told()
        const again = "Warn licence counts again, for the clock was set back"
        yield* bench.jump(-8 * dayMs)
        assert.deepStrictEqual(
          [yield* stateNow, ...bench.told()],
          ["grace prefix", again, "Info requests are served again"]
        )
        yield* bench.jump(-2 * dayMs)
        assert.deepStrictEqual(
          [yield* stateNow, ...bench.told()],
          ["expiring prefix", again, "Warn licence expires soon"]
        )
        yield* bench.jump(-100 * dayMs)
        assert.deepStrictEqual([yield* stateNow, ...bench.told()], ["valid prefix", again])
      }).pipe(Effect.provide(bench.layer({ license_grace_days: "3" })))
    })
  )

  it.effect("set to the last millisecond before the end, it ends a millisecond later", () =>
    Effect.gen(function* () {
      yield* startAt("2026-05-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        yield* bench.jump(31 * dayMs - 1)
        assert.strictEqual(yield* answer, "serves")
        yield* pass(1)
        assert.strictEqual(yield* answer, "license expired")
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("that went wrong unnoticed is looked at again within a minute, also when nothing is to come", () =>
    Effect.gen(function* () {
      yield* startAt("2026-07-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        yield* settle
        bench.clock.offsetMs = -100 * dayMs
        yield* pass(59_999)
        assert.strictEqual(yield* answer, "license expired", "nobody has told it yet")
        yield* pass(1)
        assert.strictEqual(yield* answer, "serves")
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("a machine that slept, whose timers slept as well, learns of it within a minute", () =>
    Effect.gen(function* () {
      yield* startAt("2026-01-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-06-01"))
      yield* Effect.gen(function* () {
        yield* settle
        bench.clock.offsetMs = 200 * dayMs
        yield* settle
        assert.strictEqual(yield* answer, "serves", "nobody has told it yet")
        yield* pass("60 seconds")
        assert.strictEqual(yield* answer, "license expired")
      }).pipe(Effect.provide(bench.layer()))
    })
  )
})

describe("renewal, with no other waiting than for the news", () => {
  const expired = licenseUntil("2026-01-01")
  const renewed = licenseUntil("2027-01-01")
  const start = Effect.andThen(startAt("2026-02-01"), makeBench)

  it.effect("by the control plane", () =>
    Effect.gen(function* () {
      const bench = yield* start
      yield* Effect.gen(function* () {
        yield* configure(expired)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["expired configuration", "license expired"])
        bench.told()
        yield* configure(renewed)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["valid configuration", "serves"])
        assert.deepStrictEqual(bench.told().slice(-2), ["Info licence renewed", "Info requests are served again"])
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("by the control plane, whose first configurations were refused", () =>
    Effect.gen(function* () {
      const bench = yield* start
      bench.files.set(prefixFile, expired)
      yield* Effect.gen(function* () {
        yield* settle
        const { note, state } = yield* LiveConfig
        const faults = [{ path: [], message: "expected a configuration" }]
        yield* note(new ConfigRejected({ source: "control_plane", hash: undefined, faults }))
        yield* settle
        assert.isUndefined((yield* SubscriptionRef.get(state)).snapshot)
        yield* configure(renewed)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["valid configuration", "serves"])
        assert.deepStrictEqual(bench.failures, [])
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("is told of a licence that lasts longer, not of one that is merely another", () =>
    Effect.gen(function* () {
      const bench = yield* start
      yield* Effect.gen(function* () {
        yield* configure(renewed)
        for (const [text, said] of [
          [licenseUntil("2027-01-01", { customer: "Other" }), "Info licence found"],
          [licenseUntil("2026-12-31"), "Info licence found"],
          [licenseUntil("2027-01-01"), "Info licence renewed"]
        ] as const) {
          bench.told()
          yield* configure(text)
          assert.deepStrictEqual(
            bench.told().filter((line) => line.includes("licence")),
            [said]
          )
        }
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("by license_path and by the file under the prefix", () =>
    Effect.gen(function* () {
      for (const [file, given] of [
        ["/etc/license.json", { license_path: "/etc/license.json" }],
        [prefixFile, {}]
      ] as const) {
        const bench = yield* start
        bench.files.set(file, expired)
        yield* Effect.gen(function* () {
          assert.strictEqual(yield* answer, "license expired")
          yield* settle
          yield* bench.put(file, renewed)
          assert.strictEqual(yield* answer, "serves")
        }).pipe(Effect.provide(bench.layer(given)))
      }
    })
  )

  it.effect("by a licence that is already known of, but whose source came after", () =>
    Effect.gen(function* () {
      const bench = yield* start
      bench.files.set(prefixFile, renewed)
      yield* Effect.gen(function* () {
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["expired license_data", "license expired"])
        yield* configure(licenseUntil("2028-01-01"))
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["valid configuration", "serves"])
        yield* configure()
        assert.strictEqual(yield* stateNow, "expired license_data", "and without it things are as before")
      }).pipe(Effect.provide(bench.layer({ license_data: expired })))
    })
  )

  it.effect("by taking the expired one away: no licence, no restriction", () =>
    Effect.gen(function* () {
      const bench = yield* start
      bench.files.set(prefixFile, expired)
      yield* Effect.gen(function* () {
        yield* settle
        yield* bench.put(prefixFile, undefined)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["none", "serves"])
        assert.include(bench.told(), "Warn licence is gone; nothing is restricted")
      }).pipe(Effect.provide(bench.layer()))
    })
  )
})

describe("sources, best first: configuration, license_data, license_path, the file under the prefix", () => {
  it.effect("the first that has one decides", () =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      bench.files.set("/l", licenseUntil("2033-01-01")).set(prefixFile, licenseUntil("2034-01-01"))
      yield* Effect.gen(function* () {
        yield* configure(licenseUntil("2030-01-01"), licenseUntil("2031-01-01"))
        assert.deepInclude(yield* report, { source: "configuration", expiresAtMs: at("2031-01-01") })
        yield* configure()
        assert.deepInclude(yield* report, { source: "license_data", expiresAtMs: at("2032-01-01") })
      }).pipe(Effect.provide(bench.layer({ license_data: licenseUntil("2032-01-01"), license_path: "/l" })))
      yield* Effect.gen(function* () {
        yield* settle
        assert.deepInclude(yield* report, { source: "license_path", expiresAtMs: at("2033-01-01") })
        yield* bench.put("/l", undefined)
        assert.deepInclude(yield* report, { source: "prefix", expiresAtMs: at("2034-01-01") })
      }).pipe(Effect.provide(bench.layer({ license_path: "/l" })))
    })
  )

  it.effect("files are watched, and only they", () =>
    Effect.gen(function* () {
      const bench = yield* makeBench
      yield* settle.pipe(Effect.provide(bench.layer({ license_path: "/l", license_data: licenseUntil("2030-01-01") })))
      assert.deepStrictEqual(bench.watched(), ["/l", prefixFile])
    })
  )

  it.effect("a file that comes later is noticed, and so is one that changed while the node started", () =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      yield* Effect.gen(function* () {
        bench.files.set(prefixFile, licenseUntil("2026-01-01"))
        yield* settle
        assert.strictEqual(yield* answer, "license expired")
        yield* bench.put(prefixFile, licenseUntil("2028-01-01"))
        assert.strictEqual(yield* stateNow, "valid prefix")
      }).pipe(Effect.provide(bench.layer()))
    })
  )
})

describe("a malformed licence is told once and leaves the state as it was", () => {
  const bad = licenseUntil("2027-01-01").replace("2027-01-01", "2027-13-01")

  it.effect("in the configuration, which serves all the same", () =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-01-01"))
      yield* Effect.gen(function* () {
        yield* configure(licenseUntil("2027-01-01"))
        bench.told()
        for (const wrong of [bad, { license: 1 }, 5, null]) {
          yield* configure(wrong)
          const { routeCount } = yield* SubscriptionRef.get((yield* LiveConfig).state)
          assert.strictEqual(routeCount, 1)
          assert.deepInclude(yield* report, { state: "valid", source: "configuration", expiresAtMs: at("2027-01-01") })
          assert.deepStrictEqual(
            (yield* report).refused.map(({ source }) => source),
            ["configuration"]
          )
        }
        const refusals = bench.told().filter((line) => line.includes("licence"))
        assert.deepStrictEqual(
          refusals,
          Array.from({ length: 2 }, () => "Error licence refused; what stood before it stays"),
          "what is not even text is told in the same words, and once"
        )
        yield* configure(licenseUntil("2028-01-01"))
        assert.deepInclude(yield* report, { source: "configuration", expiresAtMs: at("2028-01-01"), refused: [] })
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("an older licence of the same configuration does not stand in for it", () =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      yield* Effect.gen(function* () {
        yield* configure(licenseUntil("2027-01-01"))
        yield* configure(licenseUntil("2026-01-01"), bad)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["valid configuration", "serves"])
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("an expired one stays expired, and a node that has none is not restricted by it", () =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2026-01-01"))
      yield* Effect.gen(function* () {
        yield* settle
        yield* bench.put(prefixFile, bad)
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["expired prefix", "license expired"])
      }).pipe(Effect.provide(bench.layer()))
      yield* Effect.gen(function* () {
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["malformed", "serves"])
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("comes and goes without a word of the clock, and is told again when it is malformed in another way", () =>
    Effect.gen(function* () {
      const bench = yield* makeBench
      const refused = "Error licence refused; what stood before it stays"
      yield* Effect.gen(function* () {
        yield* settle
        for (const content of ["{", "{{"]) {
          yield* bench.put(prefixFile, content)
          assert.deepStrictEqual([yield* stateNow, ...bench.told()], ["malformed", refused])
        }
        yield* bench.put(prefixFile, undefined)
        assert.deepStrictEqual([yield* stateNow, ...bench.told()], ["none"])
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("at the start, the next source that has one decides", () =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2027-01-01"))
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* stateNow, "valid prefix")
        assert.deepStrictEqual(
          (yield* report).refused.map(({ source }) => source),
          ["license_data"]
        )
      }).pipe(Effect.provide(bench.layer({ license_data: bad })))
    })
  )

  it.effect.each<{
    readonly name: string
    readonly content: string | Uint8Array | { readonly code: string }
    readonly why: string
  }>([
    { name: "unreadable", content: { code: "EACCES" }, why: "expected a readable file (EACCES)" },
    { name: "too large", content: { code: "EFBIG" }, why: "expected a readable file (EFBIG)" },
    {
      name: "of other bytes than UTF-8",
      content: Buffer.from(licenseUntil("2030-01-01", { customer: "é" }), "latin1"),
      why: "expected UTF-8"
    },
    { name: "empty", content: "", why: "expected a licence: a JSON object" }
  ])("a file that is $name", ({ content, why }) =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      bench.files.set(prefixFile, licenseUntil("2027-01-01"))
      yield* Effect.gen(function* () {
        yield* settle
        bench.told()
        yield* bench.put(prefixFile, content)
        assert.deepStrictEqual(bench.told(), ["Error licence refused; what stood before it stays"])
        assert.deepStrictEqual((yield* report).refused, [{ source: "prefix", reasons: [why] }])
        yield* bench.put(prefixFile, content)
        assert.deepStrictEqual(bench.told(), [])
        assert.deepInclude(yield* report, { state: "valid", source: "prefix" })
        yield* bench.put(prefixFile, licenseUntil("2028-01-01"))
        assert.deepInclude(yield* report, { expiresAtMs: at("2028-01-01"), refused: [] })
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("a file that license_path names and that is not there is told, and is no malformed licence", () =>
    Effect.gen(function* () {
      const bench = yield* makeBench
      yield* Effect.gen(function* () {
        yield* settle
        assert.deepStrictEqual([yield* stateNow, yield* answer], ["none", "serves"])
        assert.deepStrictEqual(bench.told(), ["Warn there is no licence where one was said to be"])
        assert.deepStrictEqual((yield* report).refused, [
          { source: "license_path", reasons: ["license_path: expected the path of a file that exists"] }
        ])
      }).pipe(Effect.provide(bench.layer({ license_path: "/nowhere" })))
    })
  )

  it.effect("a file below something that is no folder is not there, which is no fault", () =>
    Effect.gen(function* () {
      const bench = yield* makeBench
      bench.files.set(prefixFile, { code: "ENOTDIR" })
      yield* Effect.gen(function* () {
        assert.deepInclude(yield* report, { state: "none", refused: [] })
        assert.deepStrictEqual(bench.told(), [])
      }).pipe(Effect.provide(bench.layer()))
    })
  )

  it.effect("a disk that never answers keeps a node from opening for 5 s, no longer, and is told", () =>
    Effect.gen(function* () {
      const bench = yield* makeBench
      bench.files.set(prefixFile, "hangs")
      const opened = yield* Effect.forkChild(report.pipe(Effect.provide(bench.layer())), { startImmediately: true })
      yield* pass("4999 millis")
      assert.isUndefined(opened.pollUnsafe())
      yield* pass("1 millis")
      assert.isDefined(opened.pollUnsafe())
      assert.deepInclude(yield* Fiber.join(opened), {
        state: "malformed",
        refused: [{ source: "prefix", reasons: ["expected an answer of the disk within 5 seconds"] }]
      })
    })
  )

  it.effect("nothing of what stands in a licence reaches the log or the state", () =>
    Effect.gen(function* () {
      yield* startAt("2026-02-01")
      const bench = yield* makeBench
      const secret = "not-for-anybodys-eyes"
      bench.files.set(prefixFile, secret).set("/l", licenseUntil("2026-01-01"))
      yield* Effect.gen(function* () {
        yield* settle
        yield* configure(secret)
        yield* configure(bad)
        yield* configure({ license: { payload: { license_key: secret } } })
        yield* configure(licenseUntil("2026-03-01"))
        const shown = JSON.stringify([bench.log, yield* report])
        for (const word of [secret, "Example Ltd", "license_key"]) assert.notInclude(shown, word)
      }).pipe(Effect.provide(bench.layer({ license_path: "/l", license_data: secret })))
    })
  )
})

describe("signatures", () => {
  const ours = licenseUntil("2027-01-01", {}, 1)
  const theirs = licenseUntil("2027-01-01", {}, 2)
  const start = Effect.andThen(startAt("2026-02-01"), makeBench)
  const verdict = Effect.map(report, ({ state, signature }) => `${state} ${signature}`)

  it.effect("without a key are unverifiable, which is tolerated", () =>
    Effect.gen(function* () {
      const bench = yield* start
      assert.strictEqual(
        yield* verdict.pipe(Effect.provide(bench.layer({ license_data: theirs }))),
        "valid unverifiable"
      )
    })
  )

  it.effect.each([
    { name: "signed by a known key", text: ours, off: "valid verified", on: "valid verified" },
    { name: "signed by somebody else", text: theirs, off: "valid unverifiable", on: "malformed undefined" },
    {
      name: "changed since a known key signed it",
      text: ours.replace("2027-01-01", "2028-01-01"),
      off: "malformed undefined",
      on: "malformed undefined"
    }
  ])("$name: $off, and $on when license_require_signature is on", ({ text, off, on }) =>
    Effect.gen(function* () {
      for (const [license_require_signature, expected] of [
        ["off", off],
        ["on", on]
      ] as const) {
        const bench = yield* start
        const given = { license_public_key: publicPem(1), license_require_signature, license_data: text }
        assert.strictEqual(yield* verdict.pipe(Effect.provide(bench.layer(given))), expected)
      }
    })
  )

  it.effect("the reason says which of the two it is", () =>
    Effect.gen(function* () {
      const bench = yield* start
      const given = { license_public_key: publicPem(1), license_require_signature: "on" }
      const reasons = (license_data: string) =>
        Effect.map(report, ({ refused }) => refused.flatMap((one) => one.reasons).join()).pipe(
          Effect.provide(bench.layer({ ...given, license_data }))
        )
      assert.strictEqual(
        yield* reasons(ours.replace("2027-01-01", "2028-01-01")),
        "license.signature: expected the signature of the key that the licence names: " +
          "it was changed since, or not signed by that key"
      )
      assert.strictEqual(
        yield* reasons(theirs),
        "license.signature: expected a signature by one of the keys of license_public_key, " +
          "for license_require_signature is on"
      )
    })
  )

  it.effect("a forged renewal leaves an expired licence expired", () =>
    Effect.gen(function* () {
      const bench = yield* start
      yield* Effect.gen(function* () {
        yield* configure(licenseUntil("2026-01-01"))
        yield* configure(licenseUntil("2026-01-01").replace("2026-01-01", "2099-01-01"))
        assert.strictEqual(yield* answer, "license expired")
        yield* configure(ours)
        assert.strictEqual(yield* answer, "serves")
      }).pipe(Effect.provide(bench.layer({ license_public_key: publicPem(1) })))
    })
  )

  it.effect("keys come as PEM, as base64 of it, or from a file, one or several", () =>
    Effect.gen(function* () {
      const both = `${publicPem(2)}${publicPem(1)}`
      for (const key of [both, Buffer.from(both).toString("base64"), "/keys.pem"]) {
        const bench = yield* start
        bench.files.set("/keys.pem", both)
        const layer = bench.layer({ license_data: theirs, license_public_key: key })
        assert.strictEqual(yield* verdict.pipe(Effect.provide(layer)), "valid verified")
      }
    })
  )

  it.effect.each([
    { name: "absent", content: undefined, why: "ENOENT" },
    { name: "something else", content: "hello", why: "its PEM holds something else, or nothing" },
    { name: "a private key", content: pemOf(licenseKey(1)), why: "its PEM holds something else, or nothing" }
  ])("a key file that is $name stops the start, and is not shown", ({ content, why }) =>
    Effect.gen(function* () {
      const bench = yield* start
      if (content !== undefined) bench.files.set("/keys.pem", content)
      const error = yield* Effect.flip(report.pipe(Effect.provide(bench.layer({ license_public_key: "/keys.pem" }))))
      assert.strictEqual(error.exitCode, 2)
      assert.strictEqual(
        error.message,
        `license_public_key: expected Ed25519 public keys: a path, PEM text or base64 of PEM (${why})`
      )
    })
  )
})
