/** What the admin API tells of requests and usage: names as they are when asked, and all faults of a question at once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Row } from "../../src/model/Entity.ts"
import type { TelemetryRecord } from "../../src/model/telemetry/TelemetryRecord.ts"
import type { AdminListener, ClusterListener } from "../../src/services/control/Listeners.ts"
import { TelemetryStore } from "../../src/services/control/TelemetryStore.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { call, clusterPort, type Given, memoryControlPlane } from "../support/controlPlane.ts"
import { join, next } from "../support/outletClient.ts"
import { cellOf, uuidOf } from "../support/telemetry.ts"

const nodeId = "7f1c2c0e-3f0a-4f0e-9a3b-0d3d0a3f6d11"
const minuteMs = 60_000
/** A whole minute, a few minutes ago. */
const startMs = Math.floor(Date.now() / minuteMs - 10) * minuteMs

const withControlPlane = <A, E>(
  test: Effect.Effect<A, E, AdminListener | ClusterListener | TelemetryStore | Scope.Scope>,
  given?: Given
) =>
  Effect.flatMap(clusterCertificate, (pair) =>
    Effect.scoped(test).pipe(Effect.provide(memoryControlPlane(pair, given)))
  ).pipe(Effect.timeout("20 seconds"))

const commit = (records: ReadonlyArray<TelemetryRecord>, of = nodeId) =>
  Effect.flatMap(TelemetryStore, (store) =>
    store.commit(of, { records, spool: { bytes: 10, records: 2, oldest_ms: startMs } })
  )

const window = (sequence: number, atMinute: number) => ({
  epoch: uuidOf(9),
  sequence,
  fromMs: startMs + atMinute * minuteMs,
  toMs: startMs + atMinute * minuteMs + 1_000
})

const billing = (sequence: number, atMinute: number, apiCalls: number): TelemetryRecord => ({
  lane: "billing",
  ...window(sequence, atMinute),
  apiCalls,
  services: 4,
  dropped: { records: 1, requests: 2 }
})

const iso = (atMinute: number): string => new Date(startMs + atMinute * minuteMs).toISOString()

const get = (path: string) => call("GET", path)

const dataOf = (body: Row): ReadonlyArray<Row> => body.data as ReadonlyArray<Row>

describe("GET /analytics/requests", () => {
  it.live("counts by step and group, with the names that there are now", () =>
    withControlPlane(
      Effect.gen(function* () {
        yield* call("POST", "/services", { id: uuidOf(100), name: "shop", url: "http://shop.internal" })
        const cells = [cellOf(0, 10, 100), cellOf(1, 5, 100)]
        yield* commit([
          { lane: "analytics", ...window(1, 0), cells },
          { lane: "analytics", ...window(2, 3), cells }
        ])
        const path = `/analytics/requests?by=service&from=${iso(0)}&to=${startMs / 1000 + 360}&step=180`
        const { status, body } = yield* get(path)
        assert.strictEqual(status, 200)
        assert.deepInclude(body, { by: "service", from: iso(0), to: iso(6), step: 180 })
        assert.deepStrictEqual(
          dataOf(body).map(({ from, id, name, requests }) => [from, id, name, requests]),
          [
            [iso(0), uuidOf(100), "shop", 10],
            [iso(0), uuidOf(101), null, 5],
            [iso(3), uuidOf(100), "shop", 10],
            [iso(3), uuidOf(101), null, 5]
          ]
        )
        const first = dataOf(body)[0]
        assert.deepStrictEqual(first?.statuses, { "1xx": 0, "2xx": 8, "3xx": 0, "4xx": 0, "5xx": 2 })
        assert.isDefined(first)
        const { p50, p99 } = first.latency_ms as { readonly p50: number; readonly p99: number }
        assert.isTrue(p50 > 87 && p50 <= p99 && p99 < 113, `${p50} ${p99}`)

        yield* call("DELETE", "/services/shop")
        assert.isNull(dataOf((yield* get(path)).body)[0]?.name)
        const byStatus = dataOf((yield* get("/analytics/requests?by=status&step=3600")).body)
        assert.strictEqual(
          byStatus.reduce((sum, { requests }) => sum + Number(requests), 0),
          30
        )
        assert.isTrue(
          byStatus.every(({ latency_ms, id }) => latency_ms === null && ["2xx", "5xx"].includes(String(id)))
        )
      })
    )
  )

  it.live("names every fault of a question", () =>
    withControlPlane(
      Effect.gen(function* () {
        const { status, body } = yield* get("/analytics/requests?by=host&from=yesterday&to=2026-13-01&step=61&name=x")
        assert.strictEqual(status, 400)
        assert.sameMembers(Object.keys(body.fields as Row), ["by", "from", "to", "step", "name"])
        const turned = yield* get(`/analytics/requests?by=route&from=${iso(1)}&to=${iso(1)}`)
        assert.deepStrictEqual([turned.status, Object.keys(turned.body.fields as Row)], [400, ["to"]])
        assert.strictEqual((yield* call("POST", "/analytics/requests?by=route", {})).status, 405)
      })
    )
  )
})

describe("GET /billing/usage", () => {
  it.live("sums API calls, of all that is known or of a period, by node", () =>
    withControlPlane(
      Effect.gen(function* () {
        yield* commit([billing(1, 0, 5), billing(2, 3, 12)])
        yield* commit([{ ...billing(1, 3, 30), epoch: uuidOf(8) }], uuidOf(2))
        assert.deepStrictEqual((yield* get("/billing/usage")).body, {
          services: 4,
          api_calls: 42,
          dev_portals: 3,
          nodes: { [nodeId]: { api_calls: 12 }, [uuidOf(2)]: { api_calls: 30 } },
          from: iso(0),
          to: iso(4)
        })
        assert.deepStrictEqual((yield* get(`/billing/usage?from=${iso(0)}&to=${iso(1)}`)).body, {
          services: 4,
          api_calls: 5,
          dev_portals: 3,
          nodes: { [nodeId]: { api_calls: 5 } },
          from: iso(0),
          to: iso(1)
        })
        const wrong = yield* get("/billing/usage?from=a&to=b")
        assert.deepStrictEqual([wrong.status, Object.keys(wrong.body.fields as Row)], [400, ["from", "to"]])
      }),
      { billing_dev_portals: "3" }
    )
  )

  it.live("before anything was counted says what the control plane knows by itself", () =>
    withControlPlane(
      Effect.gen(function* () {
        yield* call("POST", "/services", { name: "shop", url: "http://shop.internal" })
        const { body } = yield* get("/billing/usage")
        assert.deepStrictEqual(body, { services: 1, api_calls: 0, dev_portals: 0, nodes: {}, from: null, to: null })
      })
    )
  )
})

it.live("the fleet view shows what is acknowledged of a node, and what waits there", () =>
  Effect.gen(function* () {
    const pair = yield* clusterCertificate
    yield* Effect.gen(function* () {
      const { heard } = yield* join({ port: yield* clusterPort, trusted: pair, presented: pair })
      yield* next(heard, "Configured")
      const before = yield* get(`/clustering/data-planes/${nodeId}`)
      assert.isNull(before.body.telemetry)
      yield* commit([billing(1, 0, 5), { lane: "analytics", ...window(4, 0), cells: [] }])
      const { body } = yield* get("/clustering/data-planes")
      const shown = dataOf(body)[0]
      assert.isDefined(shown)
      const { last_received, ...telemetry } = shown.telemetry as Row
      assert.deepStrictEqual(telemetry, {
        epoch: uuidOf(9),
        acknowledged: { billing: 1, analytics: 4 },
        spooled: { bytes: 10, records: 2, oldest: iso(0) },
        dropped: { records: 1, requests: 2 }
      })
      assert.isTrue(Math.abs(Number(last_received) - Date.now() / 1000) < 60)
    }).pipe(Effect.scoped, Effect.provide(memoryControlPlane(pair)))
  }).pipe(Effect.timeout("20 seconds"))
)
