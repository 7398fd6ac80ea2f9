/**
 * What counting costs on the request path: nanoseconds per call of `record`, over one cell, the cells of 1,000 routes, and those of
 * 1,000 routes with 10 consumers each. Bound: 200 ns (`docs/telemetry.md`). What the loop around it costs is taken
 * off, and printed beside.
 */
import { makeCounters } from "../../src/layers/counted-requests/CountedRequests.ts"
import type { CompiledRoute } from "../../src/model/CompiledConfig.ts"
import type { Consumer } from "../../src/model/Entities.ts"
import type { ObservedRequest, RequestObserver } from "../../src/services/RequestObservers.ts"
import { compiledRoute, consumerOf, finished } from "../../test/support/requests.ts"
import { type Benchmark, quantileOf } from "../benchmark.ts"

/** Less than the time for which a busy machine would leave the thread alone: most batches are not interrupted. */
const batchSize = 2_000
const batches = 3_000
const warmUpBatches = 500
/** A power of two, so that going round is one step. */
const callCount = 16_384

const routeOf = (n: number): CompiledRoute => compiledRoute(n, n % 50)

/** In no order that a processor could guess. */
const scattered = (n: number, of: number): number => (Math.imul(n, 2_654_435_761) >>> 8) % of

interface Calls {
  readonly routes: ReadonlyArray<CompiledRoute>
  readonly consumers: ReadonlyArray<Consumer | undefined>
}

const callsOver = (routeCount: number, consumerCount: number): Calls => {
  const routes = Array.from({ length: routeCount }, (_, n) => routeOf(n))
  const consumers = Array.from({ length: consumerCount }, (_, n) => consumerOf(n))
  const numbers = Array.from({ length: callCount }, (_, n) => n)
  return {
    routes: numbers.map((n) => routes[scattered(n, routeCount)] ?? routeOf(0)),
    consumers: numbers.map((n) => (consumerCount === 0 ? undefined : consumers[scattered(n + 7, consumerCount)]))
  }
}

type Writable<A> = { -readonly [K in keyof A]: A[K] }

/** One request is at hand, as it is when it has just ended. */
const request: Writable<ObservedRequest> = finished({ startedAtMs: 1000.5, responseBodyBytes: 4096 })

/** Kept so that nothing that is looked at can be left out. */
let looked = 0

/**
 * Statuses and latencies as they come: a tenth fails, and most take some milliseconds. Route and consumer are looked at, as routing and
 * authentication do before; the cells are wherever they are.
 */
const become = (n: number, { routes, consumers }: Calls): void => {
  looked += (routes[n]?.route.id.charCodeAt(35) ?? 0) + (consumers[n]?.id.charCodeAt(35) ?? 0)
  request.compiled = routes[n]
  request.consumer = consumers[n]
  request.status = n % 10 === 0 ? 502 : n % 7 === 0 ? 404 : 200
  request.source = n % 10 === 0 ? "error" : "service"
  request.endedAtMs = 1001.5 + (n & 63)
  request.proxyMs = 0.2 + (n & 15) / 40
  request.upstreamMs = 0.5 + (n & 31)
}

/** Nanoseconds per call, one value for each batch. */
const measure = (record: RequestObserver, calls: Calls): ReadonlyArray<number> => {
  let next = 0
  const batch = (): number => {
    const startedAtMs = performance.now()
    for (let n = 0; n < batchSize; n++) {
      become(next, calls)
      record(request)
      next = (next + 1) & (callCount - 1)
    }
    return ((performance.now() - startedAtMs) * 1e6) / batchSize
  }
  for (let n = 0; n < warmUpBatches; n++) batch()
  return Array.from({ length: batches }, batch)
}

/** The 95 % confidence interval of the median, by order statistics. */
const medianInterval = (values: ReadonlyArray<number>): readonly [number, number] => {
  const half = 0.98 / Math.sqrt(values.length)
  return [quantileOf(values, 0.5 - half), quantileOf(values, 0.5 + half)]
}

const nothing: RequestObserver = () => undefined

export const record: Benchmark = async (say) => {
  say("record, ns per call (batches of 2,000)   median      p99   95 % CI of the median   the loop alone")
  const cases = [
    ["one cell", 1, 0],
    ["1,000 routes", 1000, 0],
    ["1,000 routes × 10 consumers", 1000, 10]
  ] as const
  for (const [name, routes, consumers] of cases) {
    const calls = callsOver(routes, consumers)
    const alone = quantileOf(measure(nothing, calls), 0.5)
    const values = measure(makeCounters().record, calls).map((value) => value - alone)
    const [median, p99] = [quantileOf(values, 0.5), quantileOf(values, 0.99)].map((value) =>
      value.toFixed(1).padStart(8)
    )
    const [from, to] = medianInterval(values).map((value) => value.toFixed(1))
    say(`${name.padEnd(38)} ${median} ${p99}   ${`${from} to ${to}`.padEnd(21)}   ${alone.toFixed(1)}`)
  }
  say(looked > 0 ? "" : "nothing was measured")
}
