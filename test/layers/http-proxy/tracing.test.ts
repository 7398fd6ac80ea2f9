/** Trace headers on their way through: the client's untouched unless requests are traced here. */
import type { IncomingHttpHeaders } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { beginTrace } from "../../../src/model/tracing/TraceContext.ts"
import type { ObservedRequest } from "../../../src/services/RequestObservers.ts"
import type { RequestTracer } from "../../../src/services/Tracing.ts"
import { oneRoute, send, startProxy, startUpstream } from "./support.ts"

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

const tracer: RequestTracer = {
  begin: ({ id, request: { headers } }) =>
    beginTrace({
      traceparent: String(headers.traceparent ?? ""),
      tracestate: headers.tracestate === undefined ? undefined : String(headers.tracestate),
      requestId: id,
      random: "a".repeat(32),
      samplingRate: 0,
      hasUpstreamSpan: false
    }),
  observe: () => {}
}

const scene = (tracer?: RequestTracer) =>
  Effect.gen(function* () {
    const heard: Array<IncomingHttpHeaders> = []
    const observed: Array<ObservedRequest> = []
    const upstream = yield* startUpstream((request, response) => {
      heard.push(request.headers)
      response.end()
    })
    const { port } = yield* startProxy(oneRoute(upstream.port), {
      observers: [(request) => void observed.push(request)],
      ...(tracer === undefined ? {} : { tracer })
    })
    const ask = (headers: Readonly<Record<string, string>>) =>
      Effect.map(
        Effect.promise(() => send(port, { headers })),
        () => heard.at(-1) ?? {}
      )
    return { ask, observed }
  })

describe("trace headers", () => {
  it.live("pass as they come where nothing is traced, and none is added", () =>
    Effect.gen(function* () {
      const { ask } = yield* scene()
      const passed = yield* ask({ traceparent: "what ever", tracestate: "a=1" })
      assert.deepInclude(passed, { traceparent: "what ever", tracestate: "a=1" })
      assert.notProperty(yield* ask({}), "traceparent")
    })
  )

  it.live("of a sane trace go on with this node as the parent", () =>
    Effect.gen(function* () {
      const { ask, observed } = yield* scene(tracer)
      const passed = yield* ask({ traceparent, tracestate: "vendor=x" })
      assert.strictEqual(passed.traceparent, `00-4bf92f3577b34da6a3ce929d0e0e4736-${"a".repeat(16)}-01`)
      assert.strictEqual(passed.tracestate, "vendor=x")
      yield* Effect.sleep("20 millis")
      assert.deepInclude(observed[0]?.trace, { parentSpanId: "00f067aa0ba902b7", isSampled: true })
    })
  )

  it.live("that are not sane are replaced, with all that belongs to them", () =>
    Effect.gen(function* () {
      const { ask } = yield* scene(tracer)
      const passed = yield* ask({ traceparent: "00-zz", tracestate: "vendor=x" })
      assert.match(String(passed.traceparent), /^00-[0-9a-f]{32}-a{16}-00$/)
      assert.notProperty(passed, "tracestate")
      assert.strictEqual(String(passed.traceparent).slice(3, 35), passed["x-kong-request-id"])
    })
  )
})
