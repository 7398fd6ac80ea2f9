/** `DESIGN.md`, "The life of a node", 7: the licence is watched by a pure function of licence and clock. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { SignatureVerdict } from "../../src/model/LicenseSignature.ts"
import {
  isAcceptable,
  type LicenseFinding,
  type LicensePolicy,
  type LicenseState,
  standingOf
} from "../../src/model/LicenseStanding.ts"
import { cases } from "../support/cases.ts"
import { licenseUntil, parsed } from "../support/licenses.ts"

const dayMs = 86_400_000
const stop: LicensePolicy = { onExpiry: "stop", graceDays: 0, requiresSignature: false }

const until = (date: string, signature: SignatureVerdict = "unverifiable"): LicenseFinding => ({
  _tag: "License",
  license: parsed(licenseUntil(date, { license_creation_date: null })),
  signature
})

const at = (text: string): number => Date.parse(text)

describe("a licence until 2026-06-01", () => {
  const license = until("2026-06-01")
  const graceful = { ...stop, graceDays: 10 }
  it.each<readonly [string, LicenseState, number, string | undefined]>([
    ["0001-01-01T00:00:00.000Z", "valid", 739_767, "2026-03-03T00:00:00.000Z"],
    ["2026-03-02T23:59:59.999Z", "valid", 91, "2026-03-03T00:00:00.000Z"],
    ["2026-03-03T00:00:00.000Z", "expiring", 90, "2026-06-01T00:00:00.000Z"],
    ["2026-05-30T23:59:59.999Z", "expiring", 2, "2026-06-01T00:00:00.000Z"],
    ["2026-05-31T00:00:00.000Z", "expiring", 1, "2026-06-01T00:00:00.000Z"],
    ["2026-05-31T23:59:59.999Z", "expiring", 1, "2026-06-01T00:00:00.000Z"],
    ["2026-06-01T00:00:00.000Z", "grace", 0, "2026-06-11T00:00:00.000Z"],
    ["2026-06-10T23:59:59.999Z", "grace", 0, "2026-06-11T00:00:00.000Z"],
    ["2026-06-11T00:00:00.000Z", "expired", 0, undefined],
    ["9999-12-31T00:00:00.000Z", "expired", 0, undefined]
  ])("at %s is %s, %d days left, until %s", (now, state, daysLeft, nextChange) => {
    const standing = standingOf(license, at(now), graceful)
    assert.deepStrictEqual(standing, {
      state,
      stops: state === "expired",
      expiresAtMs: at("2026-06-01"),
      daysLeft,
      graceUntilMs: at("2026-06-11"),
      signature: "unverifiable",
      nextChangeAtMs: nextChange === undefined ? undefined : at(nextChange)
    })
  })

  it("has no grace when there are no days of it", () => {
    assert.strictEqual(standingOf(license, at("2026-05-31T23:59:59.999Z"), stop).state, "expiring")
    assert.deepInclude(standingOf(license, at("2026-06-01"), stop), { state: "expired", stops: true })
  })

  it("stops nothing with license_on_expiry=warn", () =>
    assert.deepInclude(standingOf(license, at("2027-01-01"), { ...stop, onExpiry: "warn" }), {
      state: "expired",
      stops: false
    }))
})

describe("signatures", () => {
  it.each<readonly [SignatureVerdict, boolean, boolean]>([
    ["verified", false, true],
    ["verified", true, true],
    ["unverifiable", false, true],
    ["unverifiable", true, false],
    ["invalid", false, false],
    ["invalid", true, false]
  ])("%s, required %s: acceptable %s", (signature, requiresSignature, expected) =>
    assert.strictEqual(isAcceptable(signature, { ...stop, requiresSignature }), expected)
  )
})

it.each(["None", "Malformed"] as const)("%s stops nothing, ever", (_tag) =>
  assert.deepStrictEqual(standingOf({ _tag }, at("2026-01-01"), stop), {
    state: _tag === "None" ? "none" : "malformed",
    stops: false,
    expiresAtMs: undefined,
    daysLeft: undefined,
    graceUntilMs: undefined,
    signature: undefined,
    nextChangeAtMs: undefined
  })
)

const firstDay = at("0001-01-01")
const lastDay = at("9999-12-31")
const days = fc.nat((lastDay - firstDay) / dayMs)
const dateOf = (day: number): string => new Date(firstDay + day * dayMs).toISOString().slice(0, 10)

const finding = days.map((day) => until(dateOf(day), "verified"))
const policy = fc.record({
  onExpiry: fc.constantFrom("stop" as const, "warn" as const),
  graceDays: fc.oneof(fc.constant(0), fc.nat(3650))
})
/** Anywhere, and near what matters. */
const instants = fc
  .tuple(finding, fc.array(fc.tuple(fc.integer({ min: -4000 * 24, max: 4000 * 24 }), fc.integer({ min: -1, max: 1 }))))
  .map(([found, offsets]) => ({
    found,
    atMs: offsets
      .map(([hours, ms]) => (found._tag === "License" ? found.license.expiresAtMs : 0) + hours * 3_600_000 + ms)
      .sort((a, b) => a - b)
  }))
const order: ReadonlyArray<LicenseState> = ["valid", "expiring", "grace", "expired"]

describe("any licence, policy and instants", () => {
  it("goes one way only, and never from stopping back to serving", () =>
    fc.assert(
      fc.property(instants, policy, ({ found, atMs }, rules) => {
        const standings = atMs.map((nowMs) => standingOf(found, nowMs, rules))
        const ranks = standings.map(({ state }) => order.indexOf(state))
        assert.notInclude(ranks, -1)
        assert.deepStrictEqual(ranks, [...ranks].sort())
        const stopped = standings.map(({ stops }) => Number(stops))
        assert.deepStrictEqual(stopped, [...stopped].sort())
        for (const [index, { daysLeft }] of standings.entries())
          assert.isAtMost(daysLeft ?? 0, standings[index - 1]?.daysLeft ?? Number.POSITIVE_INFINITY)
      }),
      cases()
    ))

  it("changes at nextChangeAtMs and at no instant before; where there is none, never again", () =>
    fc.assert(
      fc.property(instants, policy, fc.double({ min: 0, max: 1, noNaN: true }), ({ found, atMs }, rules, fraction) => {
        for (const nowMs of atMs) {
          const { state, nextChangeAtMs } = standingOf(found, nowMs, rules)
          const endMs = nextChangeAtMs ?? nowMs + 4000 * dayMs
          assert.isAbove(endMs, nowMs)
          const between = Math.floor(nowMs + (endMs - 1 - nowMs) * fraction)
          for (const same of [between, endMs - 1]) assert.strictEqual(standingOf(found, same, rules).state, state)
          if (nextChangeAtMs !== undefined) {
            assert.isAbove(order.indexOf(standingOf(found, nextChangeAtMs, rules).state), order.indexOf(state))
          }
        }
      }),
      cases()
    ))
})
