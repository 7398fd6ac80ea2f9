/** Requests of a story to its own processes, and waiting until one is answered as hoped. */

import { type IncomingHttpHeaders, request } from "node:http"
import { Data, Duration, Effect } from "effect"
import { monotonicMs } from "../../services/monotonic.ts"

/** A step of a story that did not happen as it should. */
export class StepFailed extends Data.TaggedError("StepFailed")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

export interface Ask {
  readonly url: string
  readonly method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE"
  readonly json?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const answerTimeoutMs = 2_000

/** A new connection each time: a kept one would hide that nobody listens any more. */
export const ask = ({ url, method = "GET", json, headers: given = {} }: Ask): Effect.Effect<Answer, StepFailed> =>
  Effect.callback<Answer, StepFailed>((resume) => {
    const fail = (error: Error) => resume(Effect.fail(new StepFailed({ reason: `${method} ${url}: ${error.message}` })))
    const headers = json === undefined ? given : { ...given, "content-type": "application/json" }
    const outgoing = request(url, { method, agent: false, headers, timeout: answerTimeoutMs }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", fail)
      response.on("end", () =>
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            headers: response.headers
          })
        )
      )
    })
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)))
    outgoing.on("error", fail)
    outgoing.end(json === undefined ? undefined : JSON.stringify(json))
    return Effect.sync(() => outgoing.destroy())
  })

/** The answer, when it has one of these status codes. */
export const expectStatus = (question: Ask, ...statuses: ReadonlyArray<number>): Effect.Effect<Answer, StepFailed> =>
  Effect.flatMap(ask(question), (answer) =>
    statuses.includes(answer.status)
      ? Effect.succeed(answer)
      : Effect.fail(
          new StepFailed({
            reason: `${question.method ?? "GET"} ${question.url} answered ${answer.status}: ${answer.body.trim().slice(0, 200)}`
          })
        )
  )

/** Again and again until it succeeds; after `withinMs` with its last failure. */
export const eventually = <A>(withinMs: number, check: Effect.Effect<A, StepFailed>): Effect.Effect<A, StepFailed> =>
  Effect.gen(function* () {
    // By the monotonic clock: a story about clocks that jump must not be led astray by one.
    const endMs = (yield* monotonicMs) + withinMs
    for (;;) {
      const outcome = yield* Effect.result(check)
      if (outcome._tag === "Success") return outcome.success
      if ((yield* monotonicMs) >= endMs) {
        return yield* new StepFailed({ reason: `not within ${withinMs / 1000} s: ${outcome.failure.reason}` })
      }
      yield* Effect.sleep("50 millis")
    }
  })

/** How long it took, in whole milliseconds. */
export const elapsed = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<number, E> =>
  Effect.map(Effect.timed(self), ([duration]) => Math.round(Duration.toMillis(duration)))
