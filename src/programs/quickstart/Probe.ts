/** Requests of the quickstart to its own processes, and waiting until one is answered as hoped. */

import { request } from "node:http"
import { Data, Effect, Schedule } from "effect"

/** A step of the quickstart that did not happen as it should. */
export class StepFailed extends Data.TaggedError("StepFailed")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

export interface Answer {
  readonly status: number
  readonly body: string
}

export interface Ask {
  readonly url: string
  readonly method?: "GET" | "POST" | "PATCH" | "PUT"
  readonly json?: unknown
}

const answerTimeoutMs = 2_000

/** A new connection each time: a kept one would hide that nobody listens any more. */
export const ask = ({ url, method = "GET", json }: Ask): Effect.Effect<Answer, StepFailed> =>
  Effect.callback<Answer, StepFailed>((resume) => {
    const fail = (error: Error) => resume(Effect.fail(new StepFailed({ reason: `${method} ${url}: ${error.message}` })))
    const headers = json === undefined ? {} : { "content-type": "application/json" }
    const outgoing = request(url, { method, agent: false, headers, timeout: answerTimeoutMs }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", fail)
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
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
export const eventually = <A>(withinMs: number, check: Effect.Effect<A, StepFailed>): Effect.Effect<A, StepFailed> => {
  const untilThen = Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: withinMs }))
  return Effect.retry(check, untilThen).pipe(
    Effect.mapError(({ reason }) => new StepFailed({ reason: `not within ${withinMs / 1000} s: ${reason}` }))
  )
}
