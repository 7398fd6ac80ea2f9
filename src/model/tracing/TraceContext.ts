/**
 * W3C Trace Context, version 00: what a client's `traceparent` says, and what the upstream is told. A header that is not sane
 * counts as none, and its `tracestate` with it. Whoever began the trace decides whether it is sampled; for those that begin here,
 * the trace id does.
 */

export interface TraceContext {
  /** 32 hexadecimal characters. */
  readonly traceId: string
  /** Of the request's own span; 16 hexadecimal characters. */
  readonly spanId: string
  /** Of the span in which the upstream is asked; the request's own where that one is not recorded. */
  readonly upstreamSpanId: string
  /** `undefined` when the trace begins here. */
  readonly parentSpanId: string | undefined
  readonly isSampled: boolean
  /** Passed on as it came. */
  readonly traceState: string | undefined
}

export interface TraceSeed {
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
  /** Becomes the trace id of a trace that begins here: 32 random hexadecimal characters. */
  readonly requestId: string
  /** 32 random hexadecimal characters, of which the span ids are made. */
  readonly random: string
  readonly samplingRate: number
  readonly hasUpstreamSpan: boolean
}

/** Later versions may go on behind a dash; `ff` is forbidden, and so are zeros. */
const shape = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

interface Parent {
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}

const sampledFlag = 1

export const readTraceparent = (header: string | undefined): Parent | undefined => {
  if (header === undefined) return undefined
  const [whole, version, traceId = "", spanId = "", flags = "", more] = shape.exec(header.trim()) ?? []
  if (whole === undefined || (version === "00" && more !== undefined)) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & sampledFlag) === sampledFlag }
}

/** OpenTelemetry takes the last 56 bits for random; in a UUID they are. */
const randomDigits = 14
const randomRange = 16 ** randomDigits

/** The same for every node that sees the trace id. */
export const isSampledAt = (traceId: string, rate: number): boolean =>
  Number.parseInt(traceId.slice(-randomDigits), 16) < rate * randomRange

const spanIdLength = 16

export const beginTrace = (seed: TraceSeed): TraceContext => {
  const parent = readTraceparent(seed.traceparent)
  const spanId = seed.random.slice(0, spanIdLength)
  return {
    traceId: parent?.traceId ?? seed.requestId,
    spanId,
    upstreamSpanId: seed.hasUpstreamSpan ? seed.random.slice(-spanIdLength) : spanId,
    parentSpanId: parent?.spanId,
    isSampled: parent?.isSampled ?? isSampledAt(seed.requestId, seed.samplingRate),
    traceState: parent === undefined || seed.tracestate === "" ? undefined : seed.tracestate
  }
}

/** What the upstream is sent. */
export const traceparentOf = ({ traceId, upstreamSpanId, isSampled }: TraceContext): string =>
  `00-${traceId}-${upstreamSpanId}-${isSampled ? "01" : "00"}`
