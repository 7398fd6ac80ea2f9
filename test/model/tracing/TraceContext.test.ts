/** W3C Trace Context: what counts as a parent, who decides about sampling, and what goes on to the upstream. */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { beginTrace, isSampledAt, readTraceparent, traceparentOf } from "../../../src/model/tracing/TraceContext.ts"
import { holds } from "../../support/property.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const requestId = "11111111111141118111111111111111"
const seed = {
  traceparent: undefined,
  tracestate: undefined,
  requestId,
  random: "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb",
  samplingRate: 0,
  hasUpstreamSpan: false
}

describe("traceparent", () => {
  it("is read when it is sane", () => {
    assert.deepEqual(readTraceparent(`00-${traceId}-${spanId}-01`), { traceId, spanId, isSampled: true })
    assert.deepEqual(readTraceparent(`00-${traceId}-${spanId}-00`), { traceId, spanId, isSampled: false })
    assert.deepEqual(readTraceparent(`00-${traceId}-${spanId}-03`)?.isSampled, true, "other flags are not ours")
    assert.deepEqual(readTraceparent(`cc-${traceId}-${spanId}-01-more`)?.traceId, traceId, "a later version")
  })

  it("counts as none when it is not", () => {
    const wrong = [
      undefined,
      "",
      traceId,
      `00-${traceId}-${spanId}`,
      `00-${traceId}-${spanId}-01-more`,
      `ff-${traceId}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${traceId.slice(1)}-${spanId}-01`,
      `00-${traceId}-${spanId}-1`,
      `00-${traceId}-${spanId}-01,00-${traceId}-${spanId}-01`
    ]
    for (const header of wrong) assert.isUndefined(readTraceparent(header), String(header))
  })

  it("is never anything that the upstream could not read, whatever came in", () => {
    const header = fc.oneof(fc.string(), fc.constantFrom(`00-${traceId}-${spanId}-01`, `zz-${traceId}`))
    holds(fc.tuple(header, fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), ([traceparent, rate, both]) => {
      const sent = traceparentOf(beginTrace({ ...seed, traceparent, samplingRate: rate, hasUpstreamSpan: both }))
      assert.isDefined(readTraceparent(sent), sent)
    })
  })
})

describe("a trace", () => {
  it("that began elsewhere goes on as its beginner decided, with what it carries", () => {
    const given = { ...seed, traceparent: `00-${traceId}-${spanId}-01`, tracestate: "vendor=1" }
    const trace = beginTrace(given)
    assert.deepEqual(trace, {
      traceId,
      spanId: "a".repeat(16),
      upstreamSpanId: "a".repeat(16),
      parentSpanId: spanId,
      isSampled: true,
      traceState: "vendor=1"
    })
    assert.strictEqual(traceparentOf(trace), `00-${traceId}-${"a".repeat(16)}-01`)
    const unsampled = { ...given, traceparent: `00-${traceId}-${spanId}-00`, samplingRate: 1 }
    assert.isFalse(beginTrace(unsampled).isSampled)
  })

  it("that begins here has the request's id, and a parent for the upstream where that has a span of its own", () => {
    const trace = beginTrace({ ...seed, samplingRate: 1, hasUpstreamSpan: true, tracestate: "stray=1" })
    assert.strictEqual(traceparentOf(trace), `00-${requestId}-${"b".repeat(16)}-01`)
    assert.deepInclude(trace, { parentSpanId: undefined, traceState: undefined, spanId: "a".repeat(16) })
  })
})

describe("sampling", () => {
  it("takes all at 1, none at 0, and about its share between", () => {
    const ids = Array.from({ length: 10_000 }, (_, n) =>
      (BigInt(n) * 6_364_136_223_846_793_005n).toString(16).padStart(32, "0").slice(-32)
    )
    const share = (rate: number) => ids.filter((id) => isSampledAt(id, rate)).length / ids.length
    assert.deepEqual([share(0), share(1)], [0, 1])
    assert.approximately(share(0.25), 0.25, 0.03)
    holds(fc.tuple(fc.constantFrom(...ids), fc.double({ min: 0, max: 1, noNaN: true })), ([id, rate]) => {
      if (isSampledAt(id, rate)) assert.isTrue(isSampledAt(id, Math.min(1, rate * 1.5 + 0.001)), "more is never less")
    })
  })
})
