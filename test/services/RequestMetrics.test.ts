/** Kong's series of requests and targets (proxy-behaviour.md §12), by names and within bounds. */
import { assert, describe, it } from "vitest"
import { metricGroups } from "../../src/model/metrics/metricGroups.ts"
import { otherId } from "../../src/services/RequestCounters.ts"
import { namesOf, requestSampleSteps, targetSamples } from "../../src/services/RequestMetrics.ts"
import { atOnce } from "../support/atOnce.ts"
import { readTable } from "../support/readTable.ts"
import { type GivenCell, requestCell } from "../support/requestCells.ts"
import { routeId, serviceId, table } from "../support/tables.ts"

const workspaceId = "44444444-4444-4444-8444-444444444444"
const consumerId = "33333333-3333-4333-8333-333333333333"
const namelessId = "55555555-5555-4555-8555-555555555555"
const upstreamId = "66666666-6666-4666-8666-666666666666"

const rows = {
  ...table("/a"),
  workspaces: [{ id: workspaceId, name: "team" }],
  routes: [
    { id: routeId, name: "r1", service: serviceId, paths: ["/a"], ws_id: workspaceId },
    { id: namelessId, service: serviceId, paths: ["/b"] }
  ],
  consumers: [{ id: consumerId, username: "ann" }],
  upstreams: [{ id: upstreamId, name: "pool" }],
  targets: [
    { id: "77777777-7777-4777-8777-777777777777", upstream: upstreamId, target: "10.0.0.1:80" },
    { id: "88888888-8888-4888-8888-888888888888", upstream: upstreamId, target: "b.test:81", weight: 0 }
  ]
}
const config = readTable(rows)

const all = { groups: new Set<string>(metricGroups), limit: 100 }
const shared = { groups: new Set<string>(metricGroups.filter((group) => group !== "per_consumer")), limit: 100 }
const ofRoute: GivenCell = { serviceId, routeId }
const ok = (count: number) => [{ status: 200, source: "service", count }]
const samples = (cells: ReadonlyArray<GivenCell>, choice = shared) =>
  atOnce(requestSampleSteps(cells.map(requestCell), namesOf(config), choice))

describe("metrics of requests", () => {
  it("carry Kong's labels: names, status, and whether an upstream answered", () => {
    const statuses = [...ok(3), { status: 502, source: "error", count: 2 }, { status: 502, source: "exit", count: 1 }]
    const found = samples([{ ...ofRoute, statuses, requestBodyBytes: 5, responseBodyBytes: 70 }])
    assert.deepEqual(found.kong_http_requests_total, [
      [["echo", "r1", "200", "service", "team", ""], 3],
      [["echo", "r1", "502", "kong", "team", ""], 3]
    ])
    assert.deepEqual(found.kong_bandwidth_bytes, [
      [["echo", "r1", "ingress", "team", ""], 5],
      [["echo", "r1", "egress", "team", ""], 70]
    ])
  })

  it("tell consumers apart only when asked to; a route without a name goes by its id", () => {
    const cells = [
      { serviceId, routeId: namelessId, consumerId, statuses: ok(2), requestMs: [3, 4] },
      { serviceId, routeId: namelessId, statuses: ok(5), requestMs: [9] }
    ]
    assert.deepEqual(samples(cells).kong_http_requests_total, [
      [["echo", namelessId, "200", "service", "default", ""], 7]
    ])
    const apart = samples(cells, all)
    assert.deepEqual(apart.kong_http_requests_total, [
      [["echo", namelessId, "200", "service", "default", "ann"], 2],
      [["echo", namelessId, "200", "service", "default", ""], 5]
    ])
    const latencies = apart.kong_request_latency_ms ?? []
    assert.lengthOf(latencies, 1)
    assert.deepInclude(latencies[0]?.[1], { count: 3, sum: 16 })
  })

  it("have three latencies, each from its own counts", () => {
    const found = samples([{ ...ofRoute, requestMs: [30], proxyMs: [1.5], upstreamMs: [28] }])
    assert.deepEqual(
      [found.kong_request_latency_ms, found.kong_kong_latency_ms, found.kong_upstream_latency_ms].map((all) => {
        const [labels, value] = all?.[0] ?? []
        return [labels, typeof value === "object" ? value.sum : undefined]
      }),
      [30, 1.5, 28].map((sum) => [["echo", "r1", "team"], sum])
    )
  })

  it("count what matched no route apart, and forget what the configuration no longer has", () => {
    const gone = "99999999-9999-4999-8999-999999999999"
    const found = samples([
      { statuses: [{ status: 404, source: "exit", count: 4 }] },
      { serviceId, routeId: gone, statuses: ok(9) }
    ])
    assert.deepEqual(found.holdfast_unmatched_requests_total, [[["404"], 4]])
    assert.deepEqual(found.kong_http_requests_total, [])
    assert.deepEqual(found.holdfast_metrics_left_out, [[[], 0]])
  })

  it("show a limited number of combinations, those that came first, and how many they leave out", () => {
    const cells = [
      { ...ofRoute, statuses: ok(1) },
      { serviceId, routeId: namelessId, statuses: ok(100) }
    ]
    const found = samples(cells, { ...shared, limit: 1 })
    assert.deepEqual(
      found.kong_http_requests_total?.map(([labels]) => labels[1]),
      ["r1"]
    )
    assert.deepEqual(found.holdfast_metrics_left_out, [[[], 1]])
  })

  it("know what the counters had no room to tell apart", () => {
    const cells = [
      { serviceId, routeId, consumerId: otherId, statuses: ok(2) },
      { serviceId: otherId, routeId: otherId, statuses: ok(9) }
    ]
    const found = samples(cells, all)
    assert.deepEqual(found.kong_http_requests_total, [[["echo", "r1", "200", "service", "team", "other"], 2]])
    assert.deepEqual(found.holdfast_metrics_left_out, [[[], 1]])
  })

  it("leave out each group that is not chosen", () => {
    const none = samples([{ ...ofRoute, statuses: ok(1), requestMs: [1] }], { groups: new Set(), limit: 100 })
    assert.deepEqual(Object.values(none).flat(), [[[], 0]], "only that nothing was left out for want of room")
    assert.deepEqual(targetSamples(config, { groups: new Set(), limit: 100 }), {})
  })

  it("tell of each target that may be chosen the state that it is in, and those that it is not in", () => {
    assert.deepEqual(targetSamples(config, all).kong_upstream_target_health, [
      [["pool", "10.0.0.1:80", "10.0.0.1:80", "healthchecks_off", "http"], 1],
      [["pool", "10.0.0.1:80", "10.0.0.1:80", "healthy", "http"], 0],
      [["pool", "10.0.0.1:80", "10.0.0.1:80", "unhealthy", "http"], 0],
      [["pool", "10.0.0.1:80", "10.0.0.1:80", "dns_error", "http"], 0]
    ])
  })

  it("never have the same series twice, whatever names collide", () => {
    const other = "33333333-3333-4333-8333-333333333334"
    const twins = readTable({
      ...rows,
      consumers: [
        { id: consumerId, username: "ann" },
        { id: other, custom_id: "ann" }
      ]
    })
    const cells = [
      { ...ofRoute, consumerId, statuses: ok(2) },
      { ...ofRoute, consumerId: other, statuses: ok(3) }
    ].map(requestCell)
    const found = atOnce(requestSampleSteps(cells, namesOf(twins), all))
    assert.deepEqual(found.kong_http_requests_total, [[["echo", "r1", "200", "service", "team", "ann"], 5]])
  })

  it("are gathered in steps of so many combinations, for a scrape must not stop the requests", () => {
    const cells = Array.from({ length: 5_000 }, () => requestCell({ ...ofRoute, statuses: ok(1) }))
    const steps = requestSampleSteps(cells, namesOf(config), shared)
    let count = 0
    while (steps.next().done !== true) count++
    assert.isAtLeast(count, 10)
  })
})
