/** Answers over HTTP, each the last one of its connection. */
import { type ServerResponse, STATUS_CODES } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { Effect } from "effect"
import { peerHeaders } from "../../../model/PeerStanding.ts"

type Headers = Readonly<Record<string, string>>

/** What is encrypted and copied in one go: other work gets its turn in between. */
const chunkBytes = 65_536

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

/** Without a body, as to a HEAD. `length` is of the body that a GET would get. */
export const answerHead = (response: ServerResponse, status: number, headers: Headers, length?: number): void => {
  response.writeHead(status, {
    connection: "close",
    ...headers,
    ...(length === undefined ? {} : { "content-length": length })
  })
  response.end()
}

/** In words, also where no body may be: the reason stands in a header as well. */
export const answerReason = (response: ServerResponse, status: number, reason: string, more: Headers = {}): void => {
  const body = `${JSON.stringify({ message: `${STATUS_CODES[status]}: ${reason}` })}\n`
  response.writeHead(status, {
    connection: "close",
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    [peerHeaders.reason]: reason,
    ...more
  })
  response.end(body)
}

/** True when the system has taken all of it; false when the other end went away or took too long. */
export const answerBytes = (
  response: ServerResponse,
  headers: Headers,
  bytes: Uint8Array,
  limitMs: number
): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    response.writeHead(200, { connection: "close", ...headers, "content-length": bytes.length })
    return Effect.tryPromise((signal) =>
      pipeline(Readable.from(chunksOf(bytes), { objectMode: false }), response, { signal })
    )
  }).pipe(
    Effect.as(true),
    Effect.catch(() => Effect.succeed(false)),
    Effect.timeoutOrElse({ duration: limitMs, orElse: () => Effect.succeed(false) }),
    // Half an answer must not pass for a whole one.
    Effect.tap((isWhole) => (isWhole ? Effect.void : Effect.sync(() => response.destroy())))
  )
