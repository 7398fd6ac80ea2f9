/** Metrics for a collector: each interval, whatever came of the one before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as OtlpMetricsExport from "../../../src/layers/opentelemetry/OtlpMetricsExport.ts"
import { Identity } from "../../../src/services/Identity.ts"
import { MetricsExport } from "../../../src/services/MetricsExport.ts"
import { NodeMetrics, type NodeSamples } from "../../../src/services/NodeMetrics.ts"
import { makeCollector } from "../../support/collector.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { settingsLayer } from "../../support/settings.ts"

const scene = (given: Readonly<Record<string, string>>, more: NodeSamples = {}) => {
  const collector = makeCollector()
  const logs = recordedLogs()
  let looks = 0
  const samples = Effect.sync(() => ({ holdfast_api_calls_total: [[[], ++looks] as const], ...more }))
  const layer = OtlpMetricsExport.layer.pipe(
    Layer.provide([
      Layer.succeed(Identity, { nodeId: "n1", hostname: "h1", version: "3.9.0" }),
      Layer.succeed(NodeMetrics, { samples }),
      collector.layer,
      settingsLayer({ opentelemetry_protocol: "http/json", ...given }),
      logs.layer
    ])
  )
  return { collector, logs, layer, looks: () => looks }
}

const pass = Effect.fnUntraced(function* (seconds: number) {
  for (let second = 0; second < seconds; second++) {
    for (let turns = 0; turns < 20; turns++) yield* Effect.yieldNow
    yield* TestClock.adjust("1 second")
  }
})

describe("export of metrics", () => {
  it.effect("is off unless it is asked for", () => {
    const { layer, looks } = scene({})
    return Effect.gen(function* () {
      assert.isFalse((yield* MetricsExport).isOn)
      yield* pass(120)
      assert.strictEqual(looks(), 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("goes on over a collector that is away, which is told of once", () => {
    const { collector, logs, layer } = scene({
      opentelemetry_metrics_endpoint: "http://collector.test:4318/v1/metrics",
      opentelemetry_metrics_interval: "10"
    })
    return Effect.gen(function* () {
      yield* MetricsExport
      yield* pass(25)
      assert.lengthOf(collector.received, 3)
      assert.match(collector.received[0]?.text ?? "", /"name":"holdfast_api_calls_total".*"asDouble":1/)
      collector.become(500)
      yield* pass(30)
      assert.lengthOf(collector.received, 3)
      assert.lengthOf(logs.of("telemetry can't be delivered to the collector"), 1)
      collector.become(200)
      yield* pass(20)
      assert.lengthOf(collector.received, 5)
      assert.lengthOf(logs.of("telemetry is delivered to the collector again"), 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("sends many points in several messages, for encoding them all at once would stop the requests", () => {
    const codes = Array.from({ length: 450 }, (_, at) => [[String(at)], at] as const)
    const { collector, layer } = scene(
      { opentelemetry_metrics_endpoint: "http://collector.test:4318/v1/metrics" },
      { holdfast_unmatched_requests_total: codes }
    )
    return Effect.gen(function* () {
      yield* MetricsExport
      yield* pass(1)
      const points = collector.received.map(({ text }) => text.split('"asDouble"').length - 1)
      assert.deepEqual(points, [200, 200, 51])
      const codesSent = collector.received.flatMap(({ text }) => [
        ...text.matchAll(/"key":"code","value":\{"stringValue":"(\d+)"/g)
      ])
      assert.strictEqual(new Set(codesSent.map(([, code]) => code)).size, 450)
    }).pipe(Effect.provide(layer))
  })

  it.effect("leaves a collector alone for as long as that one asks", () => {
    const { collector, layer } = scene({
      opentelemetry_metrics_endpoint: "http://collector.test:4318/v1/metrics",
      opentelemetry_metrics_interval: "10"
    })
    return Effect.gen(function* () {
      yield* MetricsExport
      collector.become({ status: 503, retryAfter: "100" })
      yield* pass(95)
      assert.isAtMost(collector.attempts(), 2)
    }).pipe(Effect.provide(layer))
  })
})
