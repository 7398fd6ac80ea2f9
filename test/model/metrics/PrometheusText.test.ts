/** Prometheus' text format: whatever a name holds, the scraper reads it back as it was. */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { prometheusPieces, prometheusText } from "../../../src/model/metrics/PrometheusText.ts"
import { counter, gauge, histogram, type Sample } from "../../../src/model/metrics/Series.ts"
import { readPrometheus } from "../../support/prometheusFormat.ts"
import { holds } from "../../support/property.ts"

const table = {
  a_total: counter("Counts a\\b\nc", ["who"]),
  b: gauge("Is b", ["who", "what"]),
  c_ms: histogram("Lasts", ["who"]),
  d: gauge("Alone")
}

describe("the text for Prometheus", () => {
  it("is exactly this", () => {
    const text = prometheusText(table, {
      a_total: [[['a"b\\c\nd'], 3]],
      c_ms: [[["x"], { bounds: [1, 2.5], cumulative: [1, 3], count: 4, sum: 9.25 }]],
      d: [[[], Number.POSITIVE_INFINITY]]
    })
    assert.strictEqual(
      text,
      [
        "# HELP a_total Counts a\\\\b\\nc",
        "# TYPE a_total counter",
        'a_total{who="a\\"b\\\\c\\nd"} 3',
        "# HELP c_ms Lasts",
        "# TYPE c_ms histogram",
        'c_ms_bucket{who="x",le="1"} 1',
        'c_ms_bucket{who="x",le="2.5"} 3',
        'c_ms_bucket{who="x",le="+Inf"} 4',
        'c_ms_sum{who="x"} 9.25',
        'c_ms_count{who="x"} 4',
        "# HELP d Alone",
        "# TYPE d gauge",
        "d +Inf",
        ""
      ].join("\n")
    )
  })

  it("gives every label and every number back to whoever reads it", () => {
    const label = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("\\n", "\\", '"}', "\n# HELP b x", 'x",y="1')
    )
    const sample = fc.tuple(fc.tuple(label, label), fc.double())
    holds(fc.uniqueArray(sample, { selector: ([labels]) => labels.join("\0"), minLength: 1 }), (samples) => {
      const read = readPrometheus(prometheusText(table, { b: samples as ReadonlyArray<Sample> }))
      const found = read.get("b")?.samples ?? []
      assert.deepStrictEqual(
        found.map(({ labels, value }) => [[labels.who, labels.what], value]),
        // Nobody tells -0 from 0 there.
        samples.map(([labels, value]) => [[...labels], value === 0 ? 0 : value])
      )
    })
  })

  it("has no head for what has no samples", () => {
    assert.strictEqual(prometheusText(table, { b: [] }), "")
  })

  it("comes in pieces of a bounded size, which are the same text", () => {
    const samples = { b: Array.from({ length: 5_000 }, (_, at): Sample => [["x".repeat(50), String(at)], at]) }
    const steps = prometheusPieces(table, samples)
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    assert.isAbove(step.value.length, 4)
    assert.isTrue(step.value.every((piece) => piece.length < 70_000))
    assert.strictEqual(Buffer.concat(step.value).toString(), prometheusText(table, samples))
  })
})
