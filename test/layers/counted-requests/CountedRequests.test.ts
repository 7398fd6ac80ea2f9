/** Cells of requests against a naive count of the same (telemetry.md; issue of analytics by service, route and consumer). */
import { PerformanceObserver } from "node:perf_hooks"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as fc from "fast-check"
import { makeCounters } from "../../../src/layers/counted-requests/CountedRequests.ts"
import { bucketOf } from "../../../src/model/telemetry/LatencyBuckets.ts"
import { otherId, type RequestCell, type RequestCounters } from "../../../src/services/RequestCounters.ts"
import type { ObservedRequest } from "../../../src/services/RequestObservers.ts"
import { holds } from "../../support/property.ts"
import { compiledRoute, consumerOf, finished, idOf } from "../../support/requests.ts"

const latencyOf = (values: ReadonlyArray<number>) => {
  const buckets: Record<number, number> = {}
  for (const ms of values) buckets[bucketOf(ms)] = (buckets[bucketOf(ms)] ?? 0) + 1
  return { buckets, count: values.length, sumMs: Math.round(values.reduce((sum, ms) => sum + ms, 0)) }
}

const plainLatency = ({ buckets, count, sumMs }: RequestCell["requestLatency"]) => ({
  buckets: Object.fromEntries(Array.from(buckets, (n, at) => [at, n]).filter(([, n]) => n !== 0)),
  count,
  sumMs: Math.round(sumMs)
})

const plain = (cell: RequestCell) => ({
  requests: cell.requests,
  statuses: cell.statuses,
  classes: Array.from(cell.classes),
  requestLatency: plainLatency(cell.requestLatency),
  proxyLatency: plainLatency(cell.proxyLatency),
  upstreamLatency: plainLatency(cell.upstreamLatency),
  bytes: [cell.requestBodyBytes, cell.responseBodyBytes]
})

const keyOf = (serviceId?: string | null, routeId?: string | null, consumerId?: string | null) =>
  JSON.stringify([serviceId ?? null, routeId ?? null, consumerId ?? null])

/** Remembers every request, and counts them when asked. */
const naive = (requests: ReadonlyArray<ObservedRequest>) => {
  const groups = Map.groupBy(requests, ({ compiled, consumer }) =>
    compiled === undefined ? keyOf() : keyOf(compiled.service?.id, compiled.route.id, consumer?.id)
  )
  /** By route alone, and told by its cell without a consumer. */
  const upstreamOf = (key: string) => {
    const [service, route, consumer] = JSON.parse(key)
    const ofRoute = requests.filter(({ compiled }) =>
      compiled === undefined ? route === null : keyOf(compiled.service?.id, compiled.route.id) === keyOf(service, route)
    )
    const told = consumer === null ? ofRoute : []
    return {
      proxyLatency: latencyOf(told.map(({ proxyMs }) => proxyMs).filter((ms) => ms >= 0)),
      upstreamLatency: latencyOf(told.map(({ upstreamMs }) => upstreamMs).filter((ms) => ms >= 0))
    }
  }
  const sum = (values: ReadonlyArray<number>) => values.reduce((total, value) => total + value, 0)
  // Nobody's cell of a route that consumers alone took has no requests, but the route's latencies.
  for (const { compiled } of requests) {
    const nobody = keyOf(compiled?.service?.id, compiled?.route.id)
    groups.set(nobody, groups.get(nobody) ?? [])
  }
  return new Map(
    [...groups].map(([key, all]) => {
      const statuses = Map.groupBy(all, ({ status, source }) => `${status} ${source}`)
      const known = {
        requests: all.length,
        statuses: [...statuses].map(([name, { length }]) => {
          const [status = "", source = ""] = name.split(" ")
          return { status: Number(status), source, count: length }
        }),
        classes: [1, 2, 3, 4, 5].map((first) => all.filter(({ status }) => `${status}`.startsWith(`${first}`)).length),
        requestLatency: latencyOf(all.map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs)),
        ...upstreamOf(key),
        bytes: [
          sum(all.map(({ requestBodyBytes }) => requestBodyBytes)),
          sum(all.map(({ responseBodyBytes }) => responseBodyBytes))
        ]
      }
      return [key, known]
    })
  )
}

const counted = (counters: RequestCounters["Service"]) =>
  new Map([...counters.cells()].map((cell) => [keyOf(cell.serviceId, cell.routeId, cell.consumerId), plain(cell)]))

/** Two configurations of the same routes: objects differ, ids don't, and one route has moved to another service. */
const configs = [0, 1].map((config) => [
  compiledRoute(1, 1),
  compiledRoute(2, 1),
  compiledRoute(3, config === 0 ? 1 : 2),
  compiledRoute(4, undefined)
])

const anyRequest: fc.Arbitrary<ObservedRequest> = fc
  .record({
    config: fc.nat(1),
    route: fc.nat(4),
    consumer: fc.nat(3),
    status: fc.constantFrom(101, 200, 204, 301, 404, 429, 499, 500, 503),
    source: fc.constantFrom("service" as const, "exit" as const, "error" as const),
    startedAtMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    tookMs: fc.oneof(fc.double({ min: 0, max: 1e5, noNaN: true }), fc.constantFrom(0, 0.001, 3.6e6)),
    proxyMs: fc.constantFrom(-1, 0, 1.5, 700),
    requestBodyBytes: fc.constantFrom(0, 17, 2 ** 33),
    responseBodyBytes: fc.nat(1e6)
  })
  .map(({ config, route, consumer, tookMs, ...facts }) =>
    finished({
      ...facts,
      compiled: configs[config]?.[route],
      consumer: consumer === 0 || route === 4 ? undefined : consumerOf(consumer),
      endedAtMs: facts.startedAtMs + tookMs,
      upstreamMs: facts.proxyMs < 0 ? -1 : facts.proxyMs / 2
    })
  )

const sumOf = (counters: RequestCounters["Service"]) =>
  [...counters.cells()].reduce((sum, { requests }) => sum + requests, 0)

const heapAfterGc = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

describe("cells", () => {
  it("hold what a naive count of the same requests gives, over swaps of the configuration", () =>
    holds(fc.array(anyRequest, { maxLength: 60 }), (requests) => {
      const counters = makeCounters()
      for (const request of requests) counters.record(request)
      assert.deepStrictEqual(Object.fromEntries(counted(counters)), Object.fromEntries(naive(requests)))
      assert.strictEqual(counters.apiCalls(), requests.filter(({ compiled }) => compiled !== undefined).length)
    }))

  it("are told to the reader once for each time that something was added, and are the same objects", () =>
    holds(fc.array(fc.array(anyRequest, { maxLength: 10 }), { maxLength: 6 }), (rounds) => {
      const counters = makeCounters()
      for (const requests of rounds) {
        for (const request of requests) counters.record(request)
        const changed = counters
          .takeChanged()
          .map(({ serviceId, routeId, consumerId }) => keyOf(serviceId, routeId, consumerId))
        const withRequests = [...naive(requests)].filter(([, cell]) => cell.requests > 0)
        assert.sameMembers(
          changed,
          withRequests.map(([key]) => key)
        )
        assert.deepStrictEqual(counters.takeChanged(), [])
      }
    }))

  it("without room count further consumers together in their route, and further routes in one: no sum loses any", () =>
    holds(
      fc.record({ cells: fc.nat(12), ofConsumers: fc.nat(6), requests: fc.array(anyRequest, { maxLength: 80 }) }),
      ({ requests, ...limits }) => {
        const counters = makeCounters(limits)
        for (const request of requests) counters.record(request)
        const cells = [...counters.cells()]
        assert.isAtMost(cells.length, limits.cells + 3)
        assert.strictEqual(sumOf(counters), requests.length)
        const matched = cells.filter(({ routeId }) => routeId !== null)
        assert.strictEqual(
          matched.reduce((sum, { requests: n }) => sum + n, 0),
          counters.apiCalls()
        )
        const named = cells.filter(({ consumerId }) => consumerId !== null && consumerId !== otherId)
        assert.isAtMost(named.length, limits.ofConsumers)
      }
    ))

  it("give a route's further consumers one cell of that route", () => {
    const counters = makeCounters({ cells: 10, ofConsumers: 2 })
    const compiled = compiledRoute(1, 1)
    for (const n of [1, 2, 3, 4, 1]) counters.record(finished({ compiled, consumer: consumerOf(n) }))
    const found = [...counters.cells()].map(({ routeId, consumerId, requests }) => [routeId, consumerId, requests])
    const route = idOf("route", 1)
    assert.deepStrictEqual(found, [
      [route, null, 0],
      [route, idOf("consumer", 1), 2],
      [route, idOf("consumer", 2), 1],
      [route, otherId, 2]
    ])
  })

  it("take a million requests without allocating: nothing is left for the collector", () => {
    setFlagsFromString("--expose-gc")
    globalThis.gc ??= runInNewContext("gc")
    const counters = makeCounters()
    const requests = Array.from({ length: 64 }, (_, n) =>
      finished({
        compiled: configs[0]?.[n % 4],
        consumer: n % 3 === 0 ? consumerOf(n % 5) : undefined,
        endedAtMs: n * 1.5
      })
    )
    const record = (count: number) => {
      for (let n = 0; n < count; n++) counters.record(requests[n % 64] ?? finished())
    }
    record(300_000)
    heapAfterGc()
    const collections: Array<unknown> = []
    const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()))
    observer.observe({ entryTypes: ["gc"] })
    const before = process.memoryUsage().heapUsed
    record(1_000_000)
    const grown = process.memoryUsage().heapUsed - before
    collections.push(...observer.takeRecords())
    observer.disconnect()
    // A single number that is boxed would come to 16 MB.
    assert.isBelow(grown, 1_000_000)
    assert.deepStrictEqual(collections, [])
  })

  it("tell 32 statuses apart and count more of them by their hundred", () => {
    const counters = makeCounters()
    for (let status = 200; status < 300; status++) counters.record(finished({ status }))
    const [cell] = [...counters.cells()]
    assert.strictEqual(cell?.statuses.length, 32)
    assert.deepStrictEqual(cell?.statuses[0], { status: 200, source: "service", count: 69 })
    assert.deepStrictEqual(Array.from(cell?.classes ?? []), [0, 100, 0, 0, 0])
  })

  it.effect("wake the reader at the first request after it has read", () =>
    Effect.gen(function* () {
      const counters = makeCounters()
      const waiting = yield* Effect.forkChild(counters.changed, { startImmediately: true })
      yield* Effect.yieldNow
      assert.isUndefined(waiting.pollUnsafe())
      counters.record(finished())
      yield* Fiber.join(waiting)
      yield* counters.changed
      counters.takeChanged()
      const again = yield* Effect.forkChild(counters.changed, { startImmediately: true })
      yield* Effect.yieldNow
      assert.isUndefined(again.pollUnsafe())
      yield* Fiber.interrupt(again)
      counters.record(finished())
      yield* counters.changed
    })
  )
})
