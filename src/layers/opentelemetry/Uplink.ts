/** One way to a collector: OTLP over HTTP. What may be tried again is told from what may not. */
import { Data, Effect } from "effect"
import { FetchHttpClient, type HttpBody, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import * as OtlpResource from "effect/observability/OtlpResource"
import { messageOf } from "../../model/thrown.ts"
import { version } from "../../model/version.ts"
import { Identity } from "../../services/Identity.ts"
import { Settings } from "../../services/Settings.ts"

export class NotDelivered extends Data.TaggedError("NotDelivered")<{
  readonly message: string
  /** The same may be taken another time. */
  readonly isPassing: boolean
  /** The collector wants to be left alone for so long. */
  readonly retryAfterSeconds?: number
}> {}

/** On top of whatever pause there is. */
export const waitAsAsked = ({ retryAfterSeconds = 0 }: NotDelivered): Effect.Effect<void> =>
  retryAfterSeconds === 0 ? Effect.void : Effect.sleep(`${retryAfterSeconds} seconds`)

/** Of one attempt. A collector that hangs is as good as none. */
const requestLimit = "10 seconds"

/** The answers that OTLP says are worth another try. */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504])

const retryAfterMaxSeconds = 300

/** A number of seconds; the other form is a date, for which clocks would have to agree. */
const retryAfterOf = (header: string | undefined): { readonly retryAfterSeconds?: number } =>
  header !== undefined && /^\d{1,9}$/.test(header)
    ? { retryAfterSeconds: Math.min(Number(header), retryAfterMaxSeconds) }
    : {}

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

  const judge = ({ status, headers: { "retry-after": retryAfter } }: HttpClientResponse.HttpClientResponse) => {
    if (status >= 200 && status < 300) return Effect.void
    const isPassing = passing.has(status)
    const wait = isPassing ? retryAfterOf(retryAfter) : {}
    return Effect.fail(new NotDelivered({ message: `the collector answered ${status}`, isPassing, ...wait }))
  }

  const send: Uplink = (body) =>
    client.execute(HttpClientRequest.setBody(request, body)).pipe(
      Effect.tap((response) => Effect.ignore(response.arrayBuffer)),
      Effect.mapError((cause) => new NotDelivered({ message: reasonOf(cause), isPassing: true })),
      Effect.timeoutOrElse({
        duration: requestLimit,
        orElse: () => Effect.fail(new NotDelivered({ message: "the collector did not answer", isPassing: true }))
      }),
      Effect.flatMap(judge),
      Effect.provideService(HttpClient.TracerPropagationEnabled, false),
      // What stands elsewhere is no collector, and our headers are not for it.
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
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
