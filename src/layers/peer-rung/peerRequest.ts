/** One question to a neighbour, over a stream of the ClusterTransport: HTTP/1.1, one answer, bounded in size and time. */
import { type ClientRequest, type IncomingMessage, request } from "node:http"
import type { Duplex } from "node:stream"
import { Data, Effect, SubscriptionRef } from "effect"
import { formatAddress } from "../../model/listenFault.ts"
import { peerConfigPath } from "../../model/PeerStanding.ts"
import { ClusterIdentity } from "../../services/ClusterIdentity.ts"
import {
  brokenOffBy,
  type ClusterEndpoint,
  ClusterTransport,
  type TransportOptions
} from "../../services/ClusterTransport.ts"

export interface PeerAnswer {
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly body: Uint8Array
}

/** No whole answer came. */
export class PeerFailed extends Data.TaggedError("PeerFailed")<{
  /** For people; said of the neighbour. */
  readonly message: string
  /** The other certificate of a rotation may fare better. */
  readonly mayBeCertificate: boolean
}> {}

export interface PeerQuestion {
  readonly method: "HEAD" | "GET"
  readonly limitMs: number
  /** Of the body. */
  readonly maxBytes: number
}

const headMaxBytes = 16_384

const failed = (message: string, mayBeCertificate = false) => new PeerFailed({ message, mayBeCertificate })

const requestFailure = ({ code = "", message }: NodeJS.ErrnoException): PeerFailed => {
  if (code === "ECONNRESET" || code === "EPIPE") return failed(brokenOffBy("neighbour"), true)
  if (code.startsWith("HPE_")) return failed("it answers with something other than HTTP")
  return failed(message)
}

const headerOf =
  ({ headers }: IncomingMessage): PeerAnswer["header"] =>
  (name) => {
    const value = headers[name]
    return typeof value === "string" ? value : value?.[0]
  }

/** Calls `done` once: with the whole answer, or with what is wrong with it. */
const readAnswer = (
  response: IncomingMessage,
  maxBytes: number,
  done: (read: PeerAnswer | PeerFailed) => void
): void => {
  const header = headerOf(response)
  const tooLarge = () => failed(`it sends more than the ${maxBytes} bytes that are taken`)
  const chunks: Array<Buffer> = []
  let size = 0
  response.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size > maxBytes) done(tooLarge())
    else chunks.push(chunk)
  })
  response.once("end", () => {
    if (response.complete) done({ status: response.statusCode ?? 0, header, body: Buffer.concat(chunks) })
  })
  const cutOff = () => done(failed(`it broke off after ${size} of ${header("content-length") ?? "unknown"} bytes`))
  response.once("error", cutOff)
  response.once("close", cutOff)
}

const exchange = (
  stream: Duplex,
  host: string,
  { method, maxBytes }: PeerQuestion
): Effect.Effect<PeerAnswer, PeerFailed> =>
  Effect.callback<PeerAnswer, PeerFailed>((resume) => {
    // It may have ended since it was handed over, and would tell nobody again.
    if (stream.destroyed) return resume(Effect.fail(failed(brokenOffBy("neighbour"), true)))
    const asked: ClientRequest = request({
      method,
      path: peerConfigPath,
      headers: { host, connection: "close" },
      createConnection: () => stream,
      maxHeaderSize: headMaxBytes
    })
    const done = (read: PeerAnswer | PeerFailed): void => {
      resume(read instanceof PeerFailed ? Effect.fail(read) : Effect.succeed(read))
      if (read instanceof PeerFailed) asked.destroy()
    }
    // Of an answer that has begun, its own events tell more.
    let hasBegun = false
    const unlessBegun = (failure: PeerFailed): void => {
      if (!hasBegun) done(failure)
    }
    asked.on("error", (error) => unlessBegun(requestFailure(error)))
    asked.once("close", () => unlessBegun(failed(brokenOffBy("neighbour"), true)))
    asked.once("response", (response) => {
      hasBegun = true
      readAnswer(response, maxBytes, done)
    })
    asked.end()
    return Effect.sync(() => asked.destroy())
  })

/** Asks as the cluster's certificate says, and by the former one as well while a rotation lasts. */
export const makePeerRequest = Effect.gen(function* () {
  const { connect } = yield* ClusterTransport
  const { current } = yield* ClusterIdentity

  const attempt = (to: ClusterEndpoint, question: PeerQuestion, as: NonNullable<TransportOptions["as"]>) =>
    connect(to, { whom: "neighbour", as, limitMs: question.limitMs }).pipe(
      Effect.mapError(({ reason, message }) => failed(message, reason === "untrusted" || reason === "brokenOff")),
      Effect.flatMap((stream) => exchange(stream, formatAddress(to), question)),
      Effect.scoped
    )

  return (to: ClusterEndpoint, question: PeerQuestion): Effect.Effect<PeerAnswer, PeerFailed> =>
    Effect.gen(function* () {
      const { former } = yield* SubscriptionRef.get(current)
      return yield* attempt(to, question, "current").pipe(
        Effect.catchIf(
          ({ mayBeCertificate }) => mayBeCertificate && former !== undefined,
          () => attempt(to, question, "former")
        )
      )
    }).pipe(
      Effect.timeoutOrElse({
        duration: question.limitMs,
        orElse: () => Effect.fail(failed(`no whole answer in ${question.limitMs / 1000} s`))
      })
    )
})
