/** Metrics to a collector by OTLP over HTTP: cumulative, so that one that was missed costs nothing but its moment. */
import { Clock, Effect, Layer, Schedule } from "effect"
import type { HttpClient } from "effect/http"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import { nodeSeries } from "../../model/metrics/nodeSeries.ts"
import { otlpMetricPieces } from "../../model/metrics/OtlpMetrics.ts"
import { version } from "../../model/version.ts"
import type { Identity } from "../../services/Identity.ts"
import { MetricsExport } from "../../services/MetricsExport.ts"
import { NodeMetrics } from "../../services/NodeMetrics.ts"
import { Settings } from "../../services/Settings.ts"
import { supervise } from "../../services/supervise.ts"
import { serializationLayer } from "./OtlpTracing.ts"
import { makeTeller } from "./teller.ts"
import { makeResource, makeUplink, waitAsAsked } from "./Uplink.ts"

/** Of one message: encoded in some 10 ms, and small enough for any collector. */
const pointsMax = 200

const exportTo = Effect.fnUntraced(function* (endpoint: string) {
  const { opentelemetry_metrics_interval } = yield* Settings
  const { samples } = yield* NodeMetrics
  const serialization = yield* OtlpSerialization.OtlpSerialization
  const resource = yield* makeResource
  const send = yield* makeUplink(endpoint)
  const tell = makeTeller(endpoint)
  const startedAtMs = yield* Clock.currentTimeMillis

  const once = Effect.gen(function* () {
    const times = { startedAtMs, nowMs: yield* Clock.currentTimeMillis }
    for (const metrics of otlpMetricPieces(nodeSeries, yield* samples, times, pointsMax)) {
      const scopeMetrics = [{ scope: { name: "holdfast", version }, metrics }]
      yield* send(serialization.metrics({ resourceMetrics: [{ resource, scopeMetrics }] }))
    }
    yield* tell.delivered
  }).pipe(Effect.catchTag("NotDelivered", (failure) => Effect.andThen(tell.failed(failure), waitAsAsked(failure))))

  yield* supervise(
    "export of metrics",
    Effect.repeat(once, Schedule.spaced(`${opentelemetry_metrics_interval} seconds`))
  )
  return MetricsExport.of({ isOn: true })
})

export const layer: Layer.Layer<MetricsExport, never, Settings | Identity | NodeMetrics | HttpClient.HttpClient> =
  Layer.unwrap(
    Effect.map(Settings, ({ opentelemetry_metrics_endpoint: endpoint }) =>
      endpoint === undefined
        ? MetricsExport.none
        : Layer.effect(MetricsExport, exportTo(endpoint)).pipe(Layer.provide(serializationLayer))
    )
  )
