/** The spans of a request, by OpenTelemetry's conventions; what must not be in them is not. */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type RequestSpanFacts, type Span, spansOf } from "../../../src/model/tracing/spans.ts"
import { holds } from "../../support/property.ts"

const trace = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "a".repeat(16),
  upstreamSpanId: "b".repeat(16),
  parentSpanId: "c".repeat(16),
  isSampled: true,
  traceState: undefined
}

const facts = (given: Partial<RequestSpanFacts> = {}): RequestSpanFacts => ({
  id: "1".repeat(32),
  method: "GET",
  target: "/a/b?token=secret",
  isTls: true,
  httpVersion: "1.1",
  host: "shop.test:8443",
  userAgent: "curl/8",
  clientAddress: undefined,
  status: 200,
  source: "service",
  route: "all",
  service: "shop",
  endedAtMs: 1_700_000_000_000.5,
  requestMs: 20,
  proxyMs: 2,
  upstreamMs: 15,
  ...given
})

const attributesOf = ({ attributes }: Span) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, "intValue" in value ? value.intValue : value.stringValue])
  )

describe("the spans of a request", () => {
  it("are the server's, and below it the client's", () => {
    const [server, client] = spansOf(facts(), trace)
    assert.deepInclude(server, {
      traceId: trace.traceId,
      spanId: trace.spanId,
      parentSpanId: trace.parentSpanId,
      name: "GET all",
      kind: 2,
      startTimeUnixNano: "1699999999980500000",
      endTimeUnixNano: "1700000000000500000",
      status: { code: 0 }
    })
    assert.deepEqual(server && attributesOf(server), {
      "http.request.method": "GET",
      "url.scheme": "https",
      "url.path": "/a/b",
      "server.address": "shop.test",
      "network.protocol.version": "1.1",
      "http.response.status_code": 200,
      "user_agent.original": "curl/8",
      "holdfast.request.id": "1".repeat(32),
      "holdfast.route": "all",
      "holdfast.service": "shop",
      "holdfast.answer.source": "service"
    })
    assert.deepInclude(client, {
      spanId: trace.upstreamSpanId,
      parentSpanId: trace.spanId,
      kind: 3,
      startTimeUnixNano: "1699999999982500000",
      endTimeUnixNano: "1699999999997500000",
      status: { code: 0 }
    })
  })

  it("have no client's where it is not asked for, or where no upstream was", () => {
    assert.lengthOf(spansOf(facts(), { ...trace, upstreamSpanId: trace.spanId }), 1)
    assert.lengthOf(spansOf(facts({ proxyMs: -1, upstreamMs: -1 }), trace), 1)
  })

  it("tell of failures: the server's from 500 on, the client's from 400 on or without an answer", () => {
    const statuses = (given: Partial<RequestSpanFacts>) => spansOf(facts(given), trace).map(({ status }) => status.code)
    assert.deepEqual(statuses({ status: 404 }), [0, 2])
    assert.deepEqual(statuses({ status: 503 }), [2, 2])
    assert.deepEqual(statuses({ status: 504, source: "error" }), [2, 2])
    const [, client] = spansOf(facts({ status: 504, source: "error" }), trace)
    assert.deepInclude(client && attributesOf(client), { "error.type": "no answer" })
    assert.notProperty(client && attributesOf(client), "http.response.status_code")
  })

  it("name no client unless they are to, and no query ever", () => {
    const target = fc.tuple(fc.constantFrom("", "http://h.test", "HTTPS://h"), fc.webPath(), fc.constantFrom("?", "#"))
    holds(target, ([origin, path, mark]) => {
      const shown = JSON.stringify(spansOf(facts({ target: `${origin}${path}${mark}s3cret` }), trace))
      assert.notInclude(shown, "s3cret")
      assert.notInclude(shown, "client.address")
    })
    const [server] = spansOf(facts({ clientAddress: "192.0.2.1", target: "http://h.test" }), trace)
    assert.deepInclude(server && attributesOf(server), { "client.address": "192.0.2.1", "url.path": "/" })
  })

  it("hold no more of what a client sends than 1,024 characters, for they wait in memory", () => {
    const long = "x".repeat(15_000)
    const [server] = spansOf(facts({ target: `/${long}?${long}`, userAgent: long, host: `${long}:80` }), trace)
    const texts = Object.values(server === undefined ? {} : attributesOf(server)).map(String)
    assert.deepEqual(
      texts.filter((text) => text.startsWith("x") || text.startsWith("/x")).map(({ length }) => length),
      [1024, 1024, 1024]
    )
  })

  it("never hold the user and password of a host or a whole URL", () => {
    for (const given of [{ host: "ann:s3cret@shop.test:80" }, { target: "ws://ann:s3cret@shop.test/a?b" }])
      assert.notInclude(JSON.stringify(spansOf(facts(given), trace)), "s3cret")
  })
})
