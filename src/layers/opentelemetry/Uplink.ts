/** One way to a collector: OTLP over HTTP. What may be tried again is told from what may not. */
import { Data, Effect } from "effect"
import { type HttpBody, HttpClient, HttpClientRequest } from "effect/http"
import * as OtlpResource from "effect/observability/OtlpResource"
import { messageOf } from "../../model/thrown.ts"
import { version } from "../../model/version.ts"
import { Identity } from "../../services/Identity.ts"
import { Settings } from "../../services/Settings.ts"

export class NotDelivered extends Data.TaggedError("NotDelivered")<{
  readonly message: string
  /** The same may be taken another time. */
  readonly isPassing: boolean
}> {}

/** Of one attempt. A collector that hangs is as good as none. */
const requestLimit = "10 seconds"

/** The answers that OTLP says are worth another try. */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** The innermost reason: what wraps it says only that a request failed. */
const reasonOf = (failure: unknown): string => {
  let reason = failure
  for (let depth = 0; depth < 5; depth++) {
    const inner: unknown = typeof reason === "object" && reason !== null ? Reflect.get(reason, "cause") : undefined
    const next: unknown = inner ?? (reason instanceof Error ? Reflect.get(reason, "reason") : undefined)
    if (next === undefined || typeof next === "string") break
    reason = next
  }
  return messageOf(reason).slice(0, 300)
}

export type Uplink = (body: HttpBody.HttpBody) => Effect.Effect<void, NotDelivered>

export const makeUplink = Effect.fnUntraced(function* (endpoint: string) {
  const { opentelemetry_headers } = yield* Settings
  const client = yield* HttpClient.HttpClient
  const headers = { ...opentelemetry_headers, "user-agent": `OTel-OTLP-Exporter-Holdfast/${version}` }
  const request = HttpClientRequest.post(endpoint, { headers })

  const judge = (status: number) =>
    status >= 200 && status < 300
      ? Effect.void
      : Effect.fail(new NotDelivered({ message: `the collector answered ${status}`, isPassing: passing.has(status) }))

  const send: Uplink = (body) =>
    client.execute(HttpClientRequest.setBody(request, body)).pipe(
      Effect.flatMap((response) => Effect.as(Effect.ignore(response.arrayBuffer), response.status)),
      Effect.mapError((cause) => new NotDelivered({ message: reasonOf(cause), isPassing: true })),
      Effect.timeoutOrElse({
        duration: requestLimit,
        orElse: () => Effect.fail(new NotDelivered({ message: "the collector did not answer", isPassing: true }))
      }),
      Effect.flatMap(judge),
      Effect.provideService(HttpClient.TracerPropagationEnabled, false)
    )
  return send
})

/** Who speaks. What the operator says of it comes on top. */
export const makeResource = Effect.gen(function* () {
  const { opentelemetry_resource_attributes } = yield* Settings
  const { nodeId, hostname } = yield* Identity
  return OtlpResource.make({
    attributes: {
      "service.name": "holdfast",
      "service.version": version,
      "service.instance.id": nodeId,
      "host.name": hostname,
      ...opentelemetry_resource_attributes
    }
  })
})
