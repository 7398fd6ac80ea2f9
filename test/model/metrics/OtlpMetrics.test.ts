/** What OTLP is told is what Prometheus would have scraped. */
import { assert, describe, it } from "vitest"
import { otlpMetricPieces } from "../../../src/model/metrics/OtlpMetrics.ts"
import { counter, gauge, histogram } from "../../../src/model/metrics/Series.ts"

const table = {
  a_bytes_total: counter("Counts", ["who", "what"]),
  b: gauge("Is"),
  c_ms: histogram("Lasts", ["who"]),
  d: gauge("Is not there")
}

describe("metrics for OTLP", () => {
  it("are sums, gauges and histograms, with their units and the time that they count from", () => {
    const moment = { startTimeUnixNano: "1000000000", timeUnixNano: "2500000000" }
    const attributes = [{ key: "who", value: { stringValue: "x" } }]
    assert.deepEqual(
      [
        ...otlpMetricPieces(
          table,
          {
            a_bytes_total: [[["x", ""], 3]],
            b: [[[], 0.5]],
            c_ms: [[["x"], { bounds: [1, 2], cumulative: [1, 3], count: 4, sum: 9 }]]
          },
          { startedAtMs: 1_000, nowMs: 2_500 },
          10
        )
      ].flat(),
      [
        {
          name: "a_bytes_total",
          description: "Counts",
          unit: "By",
          sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ attributes, ...moment, asDouble: 3 }] }
        },
        {
          name: "b",
          description: "Is",
          unit: "1",
          gauge: { dataPoints: [{ attributes: [], ...moment, asDouble: 0.5 }] }
        },
        {
          name: "c_ms",
          description: "Lasts",
          unit: "ms",
          histogram: {
            aggregationTemporality: 2,
            dataPoints: [{ attributes, ...moment, count: 4, sum: 9, bucketCounts: [1, 2, 1], explicitBounds: [1, 2] }]
          }
        }
      ]
    )
  })
})
