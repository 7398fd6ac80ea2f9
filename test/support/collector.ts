/** A collector behind Effect's HTTP client: keeps what it is sent, and answers as it is told to. */
import { Effect, Layer } from "effect"
import { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"

export interface Received {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  readonly text: string
}

/** A status, with a Retry-After if there is to be one; or no connection, or no answer at all. */
export type Behaviour = number | { readonly status: number; readonly retryAfter: string } | "refuses" | "hangs"

export const makeCollector = () => {
  const received: Array<Received> = []
  let attempts = 0
  let behaviour: Behaviour = 200
  const client = HttpClient.make((request, url) =>
    Effect.suspend(() => {
      attempts++
      if (behaviour === "hangs") return Effect.never
      if (behaviour === "refuses")
        return Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, cause: new Error("connect ECONNREFUSED") })
          })
        )
      const { body } = request
      const bytes = body._tag === "Uint8Array" ? body.body : new Uint8Array()
      const { status, retryAfter } = typeof behaviour === "number" ? { status: behaviour, retryAfter: "" } : behaviour
      if (status < 300)
        received.push({ url: url.href, headers: { ...request.headers }, bytes, text: new TextDecoder().decode(bytes) })
      return Effect.succeed(
        HttpClientResponse.fromWeb(
          request,
          new Response(null, { status, ...(retryAfter === "" ? {} : { headers: { "retry-after": retryAfter } }) })
        )
      )
    })
  )
  return {
    received,
    attempts: () => attempts,
    become: (next: Behaviour) => {
      behaviour = next
    },
    layer: Layer.succeed(HttpClient.HttpClient, client)
  }
}
