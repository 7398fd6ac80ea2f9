/**
 * The status API of a control plane: probes and scrapes without the admin token, and nothing that could change anything
 * (reference `proxy-behaviour.md` §11). Only where `status_listen` is set: quickstart and tests run both planes on one machine.
 */
import { Effect, Layer } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { metricsContentType } from "../../model/metrics/PrometheusText.ts"
import { FleetMetrics } from "../../services/control/FleetMetrics.ts"
import { Settings } from "../../services/Settings.ts"
import type { StartError } from "../../services/StartError.ts"
import { StatusListener } from "../../services/StatusListener.ts"
import { listenForStatus } from "./listenForStatus.ts"

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse>

const json = (body: unknown, status: number) => HttpServerResponse.jsonUnsafe(body, { status })

const make = Effect.gen(function* () {
  const { status_listen } = yield* Settings
  const { text, isStoreReachable } = yield* FleetMetrics

  const endpoints: Readonly<Record<string, Answer>> = {
    "/status": Effect.map(isStoreReachable, (reachable) => json({ database: { reachable } }, 200)),
    "/status/ready": Effect.map(isStoreReachable, (isReachable) =>
      isReachable ? json({ message: "ready" }, 200) : json({ message: "the store can't be read" }, 503)
    ),
    "/metrics": Effect.map(text, (known) => HttpServerResponse.text(known, { contentType: metricsContentType }))
  }

  const answer = Effect.gen(function* () {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const path = url.split("?", 1)[0] ?? ""
    const found = Object.hasOwn(endpoints, path) ? endpoints[path] : undefined
    if (found === undefined) return json({ message: "Not found" }, 404)
    return method === "GET" || method === "HEAD" ? yield* found : json({ message: "Method not allowed" }, 405)
  })

  return { addresses: yield* Effect.forEach(status_listen, listenForStatus(answer)) }
})

export const layer: Layer.Layer<StatusListener, StartError, Settings | FleetMetrics> = Layer.effect(
  StatusListener,
  make
)
