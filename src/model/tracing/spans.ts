/**
 * The spans of one request, by OpenTelemetry's semantic conventions for HTTP: the server's, and the client's towards the
 * upstream. No header, no body, no query; the client's address only where that is asked for.
 */
import { unixNanos } from "../unixNanos.ts"
import type { TraceContext } from "./TraceContext.ts"

type AttributeValue = { readonly stringValue: string } | { readonly intValue: number }

export interface Attribute {
  readonly key: string
  readonly value: AttributeValue
}

/** As OTLP has it, less what is never there. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: Array<Attribute>
  readonly droppedAttributesCount: 0
  readonly events: []
  readonly droppedEventsCount: 0
  readonly status: { readonly code: 0 | 2 }
  readonly links: []
  readonly droppedLinksCount: 0
}

export interface RequestSpanFacts {
  readonly id: string
  readonly method: string
  /** The target as it was sent. */
  readonly target: string
  readonly isTls: boolean
  readonly httpVersion: string
  readonly host: string | undefined
  readonly userAgent: string | undefined
  readonly clientAddress: string | undefined
  readonly status: number
  readonly source: string
  readonly route: string | undefined
  readonly service: string | undefined
  /** Milliseconds since the epoch. */
  readonly endedAtMs: number
  readonly requestMs: number
  /** -1 when the request never was on its way to an upstream. */
  readonly proxyMs: number
  readonly upstreamMs: number
}

const serverKind = 2
const clientKind = 3

const ok = { code: 0 } as const
const failed = { code: 2 } as const

const attributes = (given: Readonly<Record<string, string | number | undefined>>): Array<Attribute> => {
  const found: Array<Attribute> = []
  for (const key in given) {
    const value = given[key]
    if (value === undefined) continue
    found.push({ key, value: typeof value === "number" ? { intValue: value } : { stringValue: value } })
  }
  return found
}

const rest: Pick<Span, "droppedAttributesCount" | "events" | "droppedEventsCount" | "links" | "droppedLinksCount"> = {
  droppedAttributesCount: 0,
  events: [],
  droppedEventsCount: 0,
  links: [],
  droppedLinksCount: 0
}

/** Of what a client sends: spans wait in memory, by their number. */
const attributeMaxChars = 1024

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A copy of its own: a part of a text keeps the whole of it in memory. */
const bounded = (text: string): string => decoder.decode(encoder.encode(text.slice(0, attributeMaxChars)))

const short = (text: string | undefined): string | undefined =>
  text === undefined || text.length <= attributeMaxChars ? text : bounded(text)

const pathOf = (target: string): string => {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "") || "/"
  return target.length <= attributeMaxChars ? path : bounded(path)
}

/** Also of a `Host` that is refused, which may hold a password as URLs do. */
const addressOf = (host: string | undefined): string | undefined =>
  short(host?.slice(host.lastIndexOf("@") + 1))?.replace(/:\d+$/, "")

const serverSpan = (facts: RequestSpanFacts, { traceId, spanId, parentSpanId }: TraceContext): Span => ({
  traceId,
  spanId,
  parentSpanId,
  name: facts.route === undefined ? facts.method : `${facts.method} ${facts.route}`,
  kind: serverKind,
  startTimeUnixNano: unixNanos(facts.endedAtMs - facts.requestMs),
  endTimeUnixNano: unixNanos(facts.endedAtMs),
  attributes: attributes({
    "http.request.method": facts.method,
    "url.scheme": facts.isTls ? "https" : "http",
    "url.path": pathOf(facts.target),
    "server.address": addressOf(facts.host),
    "network.protocol.version": facts.httpVersion,
    "http.response.status_code": facts.status,
    "user_agent.original": short(facts.userAgent),
    "client.address": facts.clientAddress,
    "error.type": facts.status >= 500 ? String(facts.status) : undefined,
    "holdfast.request.id": facts.id,
    "holdfast.route": facts.route,
    "holdfast.service": facts.service,
    "holdfast.answer.source": facts.source
  }),
  status: facts.status >= 500 ? failed : ok,
  ...rest
})

const clientSpan = (facts: RequestSpanFacts, { traceId, spanId, upstreamSpanId }: TraceContext): Span => {
  const startMs = facts.endedAtMs - facts.requestMs + facts.proxyMs
  const hasAnswer = facts.source === "service"
  return {
    traceId,
    spanId: upstreamSpanId,
    parentSpanId: spanId,
    name: facts.method,
    kind: clientKind,
    startTimeUnixNano: unixNanos(startMs),
    endTimeUnixNano: unixNanos(startMs + facts.upstreamMs),
    attributes: attributes({
      "http.request.method": facts.method,
      "http.response.status_code": hasAnswer ? facts.status : undefined,
      "error.type": hasAnswer ? (facts.status >= 400 ? String(facts.status) : undefined) : "no answer",
      "holdfast.service": facts.service
    }),
    status: hasAnswer && facts.status < 400 ? ok : failed,
    ...rest
  }
}

export const spansOf = (facts: RequestSpanFacts, trace: TraceContext): ReadonlyArray<Span> => {
  const hasUpstreamSpan = trace.upstreamSpanId !== trace.spanId && facts.proxyMs >= 0
  return hasUpstreamSpan ? [serverSpan(facts, trace), clientSpan(facts, trace)] : [serverSpan(facts, trace)]
}
