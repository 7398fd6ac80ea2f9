/** StatusListener over `node:http`: reference `proxy-behaviour.md` §11. */
import { ByteSize, Effect, Layer, MutableRef, Stream, SubscriptionRef } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { MaxBodySize } from "effect/http/HttpIncomingMessage"
import { emptyTable } from "../../model/ConfigTable.ts"
import { formatFault } from "../../model/Fault.ts"
import { askedMemoryFormat } from "../../model/MemoryUnit.ts"
import { metricsContentType } from "../../model/metrics/PrometheusText.ts"
import { viewOfUpstreams } from "../../model/UpstreamViews.ts"
import type { ConnectionStatus } from "../../services/ConnectionStatus.ts"
import { gatherNodeFacts } from "../../services/gatherNodeFacts.ts"
import { Identity } from "../../services/Identity.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import { NodeMetrics, nodeMetricsPieces } from "../../services/NodeMetrics.ts"
import { readyAnswer, statusBody } from "../../services/NodeStatus.ts"
import { Resolver } from "../../services/Resolver.ts"
import { Settings } from "../../services/Settings.ts"
import type { StartError } from "../../services/StartError.ts"
import { StatusListener } from "../../services/StatusListener.ts"
import type { TelemetryStatus } from "../../services/TelemetryStatus.ts"
import type { TrustedClock } from "../../services/TrustedClock.ts"
import { takeTurns } from "../../services/takeTurns.ts"
import { listenForStatus } from "./listenForStatus.ts"

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse>

/** What stands at one place of the API; a method that is absent is not allowed there. */
interface Endpoint {
  readonly GET: Answer
  readonly POST?: (body: string) => Answer
}

const maxBodyBytes = 4096

const json = (body: unknown, status: number) => HttpServerResponse.jsonUnsafe(body, { status })
const notFound = json({ message: "Not found" }, 404)

const partsOf = (path: string): ReadonlyArray<string> | undefined => {
  try {
    return path
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent)
  } catch {
    return undefined
  }
}

/** `{"status":"draining"}`, the one thing that may be said. */
const asksToDrain = (body: string): boolean => {
  try {
    return (JSON.parse(body) as { readonly status?: unknown } | null)?.status === "draining"
  } catch {
    return false
  }
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { nodeId } = yield* Identity
  const live = yield* LiveConfig
  const health = yield* NodeHealth
  const resolver = yield* Resolver
  const { samples } = yield* NodeMetrics
  const facts = yield* gatherNodeFacts

  const status = Effect.fnUntraced(function* (query: URLSearchParams) {
    const asked = askedMemoryFormat(query)
    if (asked._tag === "Wrong") return json({ message: asked.faults.map(formatFault).join("; ") }, 400)
    return json(statusBody(yield* facts, { pid: process.pid, ...process.memoryUsage() }, asked.format), 200)
  })

  const metrics = Effect.gen(function* () {
    const known = yield* samples
    const pieces = yield* takeTurns(() => nodeMetricsPieces(known))
    return HttpServerResponse.stream(Stream.fromIterable(pieces), {
      contentType: metricsContentType,
      contentLength: pieces.reduce((sum, { length }) => sum + length, 0)
    })
  })

  const ready = Effect.map(facts, (known) => {
    const answer = readyAnswer(known)
    return json(answer.body, answer.status)
  })

  const drain = Effect.fnUntraced(function* (body: string) {
    if (!asksToDrain(body)) return json({ message: 'expected the body {"status":"draining"}' }, 400)
    if (!MutableRef.get(health.isDraining)) yield* Effect.logInfo("asked to drain: not ready until the next start")
    MutableRef.set(health.isDraining, true)
    return HttpServerResponse.empty({ status: 204 })
  })

  const upstreams = Effect.fnUntraced(function* (rest: ReadonlyArray<string>) {
    const { snapshot } = yield* SubscriptionRef.get(live.state)
    const view = viewOfUpstreams(snapshot?.table ?? emptyTable, rest)
    if (view === undefined) return notFound
    return json(rest[1] === "health" ? { ...view, node_id: nodeId } : view, 200)
  })

  const endpointAt = (path: string, query: URLSearchParams): Endpoint | undefined => {
    if (path === "/status") return { GET: status(query) }
    if (path === "/status/dns") return { GET: Effect.sync(() => json(resolver.stats(), 200)) }
    if (path === "/status/ready") return { GET: ready, POST: drain }
    if (path === "/metrics") return { GET: metrics }
    const parts = partsOf(path)
    return parts?.[0] === "upstreams" ? { GET: upstreams(parts.slice(1)) } : undefined
  }

  const answer = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const [path = "", query = ""] = request.url.split("?", 2)
    const endpoint = endpointAt(path, new URLSearchParams(query))
    if (endpoint === undefined) return notFound
    if (request.method === "GET" || request.method === "HEAD") return yield* endpoint.GET
    if (request.method !== "POST" || endpoint.POST === undefined) return json({ message: "Method not allowed" }, 405)
    // A body that is cut off or too long is no body that says something.
    const body = yield* Effect.orElseSucceed(request.text, () => "")
    return yield* endpoint.POST(body)
  }).pipe(Effect.provideService(MaxBodySize, ByteSize.bytes(maxBodyBytes)))

  return { addresses: yield* Effect.forEach(settings.status_listen, listenForStatus(answer)) }
})

export const layer: Layer.Layer<
  StatusListener,
  StartError,
  | Settings
  | Identity
  | LiveConfig
  | ConnectionStatus
  | NodeHealth
  | NodeMetrics
  | Resolver
  | TelemetryStatus
  | TrustedClock
> = Layer.effect(StatusListener, make)
