/**
 * Tracing by OTLP over HTTP. On the request path: a header, a branch, and for sampled requests two objects. Beside it a fiber that
 * brings the spans to the collector, and tries a batch again while that may help; a collector that is away is told of once.
 */

import { randomUUID } from "node:crypto"
import { Clock, Effect, Latch, Layer, MutableRef, Schedule } from "effect"
import type { HttpClient } from "effect/http"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import { nameOrId } from "../../model/shownName.ts"
import { servedInstrumentations } from "../../model/tracing/instrumentations.ts"
import { type RequestSpanFacts, type Span, spansOf } from "../../model/tracing/spans.ts"
import { beginTrace } from "../../model/tracing/TraceContext.ts"
import { version } from "../../model/version.ts"
import type { Identity } from "../../services/Identity.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import type { ObservedRequest } from "../../services/RequestObservers.ts"
import { Settings } from "../../services/Settings.ts"
import { supervise } from "../../services/supervise.ts"
import { type RequestTracer, type TracedRequest, Tracing } from "../../services/Tracing.ts"
import { maxBatch, SpanQueue } from "./SpanQueue.ts"
import { makeTeller } from "./teller.ts"
import { makeResource, makeUplink, NotDelivered, waitAsAsked } from "./Uplink.ts"

/** From the first span that waits, unless there is a batch of them before. */
const gatherTime = "2 seconds"
const retryDelays = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])
/** Of one batch. A collector that is never pleased with it must not keep all later ones from being sent. */
const batchLimit = "5 minutes"
/** A stop waits no longer than this for the last spans. */
const lastBatchLimit = "1 second"

const one = (header: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof header === "string" ? header : header?.join(",")

const random = (): string => randomUUID().replaceAll("-", "")

const factsOf = (request: ObservedRequest, endedAtMs: number, hasClientAddress: boolean): RequestSpanFacts => {
  const { compiled } = request
  const { headers, method = "_OTHER", url = "/", httpVersion } = request.request
  return {
    id: request.id,
    method,
    target: url,
    httpVersion,
    isTls: request.listener.isTls,
    host: one(headers[":authority"] ?? headers.host),
    userAgent: one(headers["user-agent"]),
    clientAddress: hasClientAddress && request.clientAddress !== "" ? request.clientAddress : undefined,
    status: request.status,
    source: request.source,
    route: compiled && nameOrId(compiled.route),
    service: compiled?.service && nameOrId(compiled.service),
    endedAtMs,
    requestMs: request.endedAtMs - request.startedAtMs,
    proxyMs: request.proxyMs,
    upstreamMs: request.upstreamMs
  }
}

const makeTracer = (
  settings: Settings["Service"],
  nowMs: () => number,
  take: (spans: ReadonlyArray<Span>) => void
): RequestTracer => {
  const { tracing_sampling_rate: samplingRate, tracing_client_address: hasClientAddress } = settings
  const hasUpstreamSpan = settings.tracing_instrumentations.some((name) => name === "all" || name === "balancer")
  const begin = ({ id, request: { headers } }: TracedRequest) =>
    beginTrace({
      traceparent: one(headers.traceparent),
      tracestate: one(headers.tracestate),
      requestId: id,
      random: random(),
      samplingRate,
      hasUpstreamSpan
    })
  return {
    begin,
    observe: (request) => {
      // A request that went nowhere has had nobody to tell.
      const trace = request.trace ?? begin(request)
      if (trace.isSampled) take(spansOf(factsOf(request, nowMs(), hasClientAddress), trace))
    }
  }
}

const traceTo = Effect.fnUntraced(function* (endpoint: string) {
  const settings = yield* Settings
  const { tracing } = yield* NodeHealth
  const serialization = yield* OtlpSerialization.OtlpSerialization
  const clock = yield* Clock.Clock
  const resource = yield* makeResource
  const send = yield* makeUplink(endpoint)
  const tell = makeTeller(endpoint)
  const queue = new SpanQueue()
  const awake = yield* Latch.make(false)
  const hasBatch = yield* Latch.make(false)
  let delivered = 0

  const body = (spans: ReadonlyArray<Span>) =>
    serialization.traces({
      resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "holdfast", version }, spans: [...spans] }] }]
    })

  const attempt = (spans: ReadonlyArray<Span>) =>
    send(body(spans)).pipe(
      Effect.tap(() =>
        Effect.suspend(() => {
          delivered += spans.length
          return tell.delivered
        })
      ),
      Effect.tapError(tell.failed)
    )

  const give = (spans: ReadonlyArray<Span>, work: Effect.Effect<void, NotDelivered>) =>
    Effect.catch(work, () => Effect.sync(() => queue.lose(spans.length)))

  const deliver = Effect.suspend(() => {
    const spans = queue.take()
    if (spans.length === 0) return Effect.void
    const untilTaken = Effect.tapError(attempt(spans), waitAsAsked).pipe(
      Effect.retry({ schedule: retryDelays, while: ({ isPassing }) => isPassing }),
      Effect.timeoutOrElse({
        duration: batchLimit,
        orElse: () => Effect.fail(new NotDelivered({ message: "tried for too long", isPassing: false }))
      })
    )
    return give(spans, untilTaken).pipe(Effect.onInterrupt(() => Effect.sync(() => queue.lose(spans.length))))
  })

  const untilEmpty = (work: Effect.Effect<void>) =>
    Effect.whileLoop({ while: () => queue.length > 0, body: () => work, step: () => {} })

  const turn = awake.await.pipe(
    Effect.andThen(Effect.raceFirst(Effect.sleep(gatherTime), hasBatch.await)),
    Effect.andThen(Effect.all([awake.close, hasBatch.close])),
    Effect.andThen(untilEmpty(deliver))
  )

  const last = untilEmpty(
    Effect.suspend(() => {
      const spans = queue.take()
      return give(spans, attempt(spans))
    })
  )
  // Before the fiber, so that it runs behind the fiber's end.
  yield* Effect.addFinalizer(() =>
    last.pipe(
      Effect.interruptible,
      Effect.timeoutOption(lastBatchLimit),
      Effect.andThen(Effect.sync(() => MutableRef.set(tracing, undefined)))
    )
  )
  yield* supervise("export of spans", Effect.forever(turn))
  MutableRef.set(tracing, () => ({ delivered, dropped: queue.dropped }))

  const take = (spans: ReadonlyArray<Span>): void => {
    if (!queue.add(spans)) return
    awake.openUnsafe()
    if (queue.length >= maxBatch) hasBatch.openUnsafe()
  }
  return Tracing.of({ tracer: makeTracer(settings, () => clock.currentTimeMillisUnsafe(), take) })
})

/** As the setting says it. */
export const serializationLayer: Layer.Layer<OtlpSerialization.OtlpSerialization, never, Settings> = Layer.unwrap(
  Effect.map(Settings, ({ opentelemetry_protocol }) =>
    opentelemetry_protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf
  )
)

export const layer: Layer.Layer<Tracing, never, Settings | Identity | NodeHealth | HttpClient.HttpClient> =
  Layer.unwrap(
    Effect.map(Settings, ({ tracing_instrumentations, opentelemetry_traces_endpoint: endpoint }) =>
      endpoint === undefined || !tracing_instrumentations.some((name) => servedInstrumentations.has(name))
        ? Tracing.none
        : Layer.effect(Tracing, traceTo(endpoint)).pipe(Layer.provide(serializationLayer))
    )
  )
