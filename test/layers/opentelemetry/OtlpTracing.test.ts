/** Spans on their way to a collector that is good, away, silent, or will not have them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, MutableRef } from "effect"
import { TestClock } from "effect/testing"
import * as OtlpTracing from "../../../src/layers/opentelemetry/OtlpTracing.ts"
import { Identity } from "../../../src/services/Identity.ts"
import { NodeHealth } from "../../../src/services/NodeHealth.ts"
import { Tracing } from "../../../src/services/Tracing.ts"
import { makeCollector } from "../../support/collector.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { finished } from "../../support/requests.ts"
import { settingsLayer } from "../../support/settings.ts"

const traced = {
  tracing_instrumentations: "all",
  tracing_sampling_rate: "1",
  opentelemetry_traces_endpoint: "http://collector.test:4318/v1/traces",
  opentelemetry_protocol: "http/json",
  opentelemetry_headers: "authorization=Bearer%20t0ken",
  opentelemetry_resource_attributes: "service.name=edge"
}

const scene = (given: Readonly<Record<string, string>> = traced) => {
  const collector = makeCollector()
  const logs = recordedLogs()
  const identity = Layer.succeed(Identity, { nodeId: "n1", hostname: "h1", version: "3.9.0" })
  const layer = OtlpTracing.layer.pipe(
    Layer.provideMerge(NodeHealth.layer),
    Layer.provide([identity, collector.layer, settingsLayer(given), logs.layer])
  )
  return { collector, logs, layer }
}

const counts = Effect.map(NodeHealth, ({ tracing }) => MutableRef.get(tracing)?.())

const observe = (count: number) =>
  Effect.map(Tracing, ({ tracer }) => {
    for (let n = 0; n < count; n++) tracer?.observe(finished({ id: n.toString(16).padStart(32, "0") }))
  })

const pass = Effect.fnUntraced(function* (seconds: number) {
  for (let second = 0; second < seconds; second++) {
    yield* TestClock.adjust("1 second")
    for (let turns = 0; turns < 40; turns++) yield* Effect.yieldNow
  }
})

interface Sent {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: object }> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<{ readonly traceId: string }> }>
  }>
}

const spansIn = (text: string) => (JSON.parse(text) as Sent).resourceSpans.flatMap((r) => r.scopeSpans[0]?.spans ?? [])

describe("tracing", () => {
  it.effect("is off unless it is asked for, and asks nobody then", () => {
    const { collector, layer } = scene({})
    return Effect.gen(function* () {
      assert.isUndefined((yield* Tracing).tracer)
      assert.isUndefined(yield* counts)
      assert.strictEqual(collector.attempts(), 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("brings the spans of a moment to the collector together, once, with who speaks", () => {
    const { collector, layer } = scene()
    return Effect.gen(function* () {
      yield* observe(3)
      yield* pass(3)
      assert.lengthOf(collector.received, 1)
      const [batch] = collector.received
      assert.strictEqual(batch?.url, "http://collector.test:4318/v1/traces")
      assert.strictEqual(batch?.headers.authorization, "Bearer t0ken")
      assert.lengthOf(spansIn(batch?.text ?? ""), 6, "the request's and the upstream's")
      const sent = JSON.parse(batch?.text ?? "") as Sent
      const attributes = Object.fromEntries(
        sent.resourceSpans[0]?.resource.attributes.map(({ key, value }) => [key, Object.values(value)[0]]) ?? []
      )
      assert.deepInclude(attributes, { "service.name": "edge", "service.instance.id": "n1", "host.name": "h1" })
      yield* pass(60)
      assert.strictEqual(collector.attempts(), 1)
      assert.deepEqual(yield* counts, { delivered: 6, dropped: 0 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("says by protobuf the same, unless it is to be JSON", () => {
    const { collector, layer } = scene({ ...traced, opentelemetry_protocol: "http/protobuf" })
    return Effect.gen(function* () {
      yield* observe(1)
      yield* pass(3)
      const [batch] = collector.received
      assert.strictEqual(batch?.headers["content-type"], "application/x-protobuf")
      assert.include(batch?.text, "http.request.method")
    }).pipe(Effect.provide(layer))
  })

  it.effect("takes no request that is not sampled", () => {
    const { collector, layer } = scene({ ...traced, tracing_sampling_rate: "0" })
    return Effect.gen(function* () {
      yield* observe(10)
      yield* pass(10)
      assert.strictEqual(collector.attempts(), 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("outlasts a collector that is away: says so once, keeps what has room, counts the rest", () => {
    const { collector, logs, layer } = scene()
    return Effect.gen(function* () {
      collector.become("refuses")
      yield* observe(1)
      yield* pass(120)
      yield* observe(3_000)
      yield* pass(60)
      assert.lengthOf(logs.of("telemetry can't be delivered to the collector"), 1)
      assert.include(String(logs.of("telemetry can't be delivered to the collector")[0]?.cause), "ECONNREFUSED")
      const { dropped = 0, delivered } = (yield* counts) ?? {}
      assert.deepEqual([delivered, dropped], [0, 6_000 - 4_096])
      assert.isBelow(collector.attempts(), 20, "not asked all the time")
      collector.become(200)
      yield* pass(60)
      assert.lengthOf(logs.of("telemetry is delivered to the collector again"), 1)
      assert.deepEqual(yield* counts, { delivered: 4_098, dropped: 6_000 - 4_096 })
      assert.isTrue(collector.received.every(({ text }) => spansIn(text).length <= 512))
      const all = collector.received.flatMap(({ text }) => spansIn(text))
      assert.lengthOf(all, 4_098)
    }).pipe(Effect.provide(layer))
  })

  it.effect("tries again what may be taken another time, and nothing else", () => {
    const { collector, layer } = scene()
    return Effect.gen(function* () {
      for (const behaviour of [503, 429, "hangs"] as const) {
        const before = collector.attempts()
        collector.become(behaviour)
        yield* observe(1)
        yield* pass(20)
        assert.isAbove(collector.attempts() - before, 1, String(behaviour))
        collector.become(200)
        yield* pass(60)
      }
      assert.deepEqual(yield* counts, { delivered: 6, dropped: 0 })
      const before = collector.attempts()
      collector.become(400)
      yield* observe(1)
      yield* pass(60)
      assert.strictEqual(collector.attempts() - before, 1)
      assert.deepEqual(yield* counts, { delivered: 6, dropped: 2 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("brings the last spans at a stop, and waits for no collector that hangs", () => {
    const { collector, layer } = scene()
    return Effect.gen(function* () {
      yield* observe(2).pipe(Effect.provide(layer))
      assert.lengthOf(spansIn(collector.received[0]?.text ?? ""), 4)
      collector.become("hangs")
      const stopping = yield* Effect.forkChild(observe(2).pipe(Effect.provide(Layer.fresh(layer))), {
        startImmediately: true
      })
      yield* pass(2)
      assert.isDefined(stopping.pollUnsafe())
    })
  })

  it.effect("brings a batch as soon as there is one: what a good collector could take is not lost", () => {
    const { collector, layer } = scene()
    return Effect.gen(function* () {
      const settle = Effect.gen(function* () {
        for (let turns = 0; turns < 40; turns++) yield* Effect.yieldNow
      })
      yield* settle
      for (let round = 0; round < 10; round++) {
        yield* observe(500)
        yield* settle
      }
      assert.isAtLeast(collector.attempts(), 15)
      yield* pass(3)
      assert.deepEqual(yield* counts, { delivered: 10_000, dropped: 0 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("leaves a collector alone for as long as that one asks (OTLP, Retry-After)", () => {
    const { collector, layer } = scene()
    return Effect.gen(function* () {
      collector.become({ status: 429, retryAfter: "100" })
      yield* observe(1)
      yield* pass(90)
      assert.strictEqual(collector.attempts(), 1)
      collector.become(200)
      yield* pass(30)
      assert.deepEqual(yield* counts, { delivered: 2, dropped: 0 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("gives up on a batch that is never taken, so that later ones have their turn", () => {
    const { collector, layer } = scene()
    return Effect.gen(function* () {
      collector.become(503)
      yield* observe(1)
      yield* pass(320)
      assert.deepEqual(yield* counts, { delivered: 0, dropped: 2 })
      collector.become(200)
      yield* observe(1)
      yield* pass(3)
      assert.deepEqual(yield* counts, { delivered: 2, dropped: 2 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("brings all that waits at a stop, not a batch of it", () => {
    const { collector, layer } = scene()
    return Effect.gen(function* () {
      yield* observe(1_000).pipe(Effect.provide(layer))
      assert.lengthOf(
        collector.received.flatMap(({ text }) => spansIn(text)),
        2_000
      )
    })
  })

  it.effect("tells of the collector without what stands in its query, which may be a key", () => {
    const endpoint = "http://collector.test:4318/v1/traces"
    const { collector, logs, layer } = scene({ ...traced, opentelemetry_traces_endpoint: `${endpoint}?key=s3cret` })
    return Effect.gen(function* () {
      collector.become("refuses")
      yield* observe(1)
      yield* pass(10)
      assert.deepEqual(
        logs.of("telemetry can't be delivered to the collector").map((fields) => fields.endpoint),
        [endpoint]
      )
    }).pipe(Effect.provide(layer))
  })
})
