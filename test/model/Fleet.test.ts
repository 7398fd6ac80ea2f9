/** Fleet views must not lie: the state of a node, for every combination that matters. */
import { assert, describe, it } from "@effect/vitest"
import { type DataPlaneRecord, type FleetView, isPurged, newRecord, shownDataPlane } from "../../src/model/Fleet.ts"

const expected = "e".repeat(32)
const nowMs = 1_000_000
const facts = { id: "n", hostname: "h", ip: "::1", version: "3.9.0", labels: {}, certificateExpiresAtMs: 5_999 }
const base: DataPlaneRecord = { ...newRecord(facts, nowMs - 10_000), syncStatus: "normal" }
const view: FleetView = {
  nowMs,
  expectedHash: expected,
  purgeDelayMs: 60_000,
  connectedSinceMs: nowMs - 20_000,
  telemetry: undefined
}

const stateOf = (record: Partial<DataPlaneRecord>, seen: Partial<FleetView> = {}) =>
  shownDataPlane({ ...base, ...record }, { ...view, ...seen }).configuration_state

describe("the state of a node", () => {
  const lastError = { atMs: nowMs, name: "x", message: "map full" }
  for (const [name, state, expectedState] of [
    ["runs what it should", stateOf({ configHash: expected }), "in_sync"],
    ["was sent something and has not said", stateOf({}), "applying"],
    ["refused it", stateOf({ lastError }), "refused_by_node"],
    ["could not be sent it", stateOf({ notSent: "too large" }), "not_sent"],
    ["is too new", stateOf({ syncStatus: "kong_version_incompatible" }), "incompatible"],
    ["is gone", stateOf({}, { connectedSinceMs: undefined }), "disconnected"],
    ["is gone, whatever it ran", stateOf({ configHash: expected }, { connectedSinceMs: undefined }), "disconnected"],
    ["while the store is broken", stateOf({ configHash: expected }, { expectedHash: undefined }), "applying"]
  ] as const) {
    it(`${name}: ${expectedState}`, () => assert.strictEqual(state, expectedState))
  }
})

it("times are seconds, and the time to live shrinks", () => {
  const shown = shownDataPlane(base, view)
  assert.deepInclude(shown, { last_seen: 990, ttl: 50, connected: true, connected_since: 980 })
  assert.deepStrictEqual(shown.cert_details, { expiry_timestamp: 5 } as unknown)
})

it("a node is forgotten when it was silent for the purge delay, not before", () => {
  assert.isFalse(isPurged(59_999, 60_000))
  assert.isTrue(isPurged(60_000, 60_000))
})
