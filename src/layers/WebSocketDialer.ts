/**
 * ClusterDialer and TelemetryDialer by `ws`, upgraded over a stream of the ClusterTransport (reference `hybrid-protocol-v1.md` §1.1). The whole
 * dial has one limit: name resolution, TCP, a forward proxy, TLS and the WebSocket handshake together.
 */

import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { Cause, Clock, Effect, Layer, Queue, type Scope, SubscriptionRef } from "effect"
import { type ClientOptions, type RawData, WebSocket } from "ws"
import { serverNameOf, telemetryServerNameOf } from "../model/ClusterTls.ts"
import { goingAway } from "../model/closeCodes.ts"
import { formatAddress } from "../model/listenFault.ts"
import { readRetryAfter } from "../model/RetryAfter.ts"
import { frameMaxBytes, telemetryPath } from "../model/telemetry/TelemetryWire.ts"
import { messageOf } from "../model/thrown.ts"
import { outletPath } from "../model/Wire.ts"
import { ClusterDialer, type ClusterSocket, type Frame, SessionEnd } from "../services/ClusterDialer.ts"
import { ClusterIdentity } from "../services/ClusterIdentity.ts"
import {
  brokenOff,
  type ClusterEndpoint,
  ClusterTransport,
  ClusterUnreachable,
  dialLimitMs,
  type TransportOptions
} from "../services/ClusterTransport.ts"
import { Identity } from "../services/Identity.ts"
import { Settings } from "../services/Settings.ts"
import { TelemetryDialer } from "../services/TelemetryDialer.ts"
import { TrustedClock } from "../services/TrustedClock.ts"

/** One WebSocket operation may take this long (§1). */
const operationTimeoutMs = 5_000
/** How long a peer may leave a close frame unanswered before the socket is torn down. */
const closeTimeoutMs = 1_000

const bytesOf = (data: RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data

/** Marks every frame in the queue, in order of arrival, and its end with the reason. */
const listen = (socket: WebSocket, frames: Queue.Queue<Frame, SessionEnd>): void => {
  const offer = (frame: Frame) => void Queue.offerUnsafe(frames, frame)
  const end = (reason: SessionEnd["reason"], message: string) =>
    Queue.failCauseUnsafe(frames, Cause.fail(new SessionEnd({ reason, message })))
  socket.on("message", (data, isBinary) =>
    offer(isBinary ? { _tag: "Binary", bytes: bytesOf(data) } : { _tag: "Text" })
  )
  socket.on("ping", () => offer({ _tag: "Ping" }))
  socket.on("pong", () => offer({ _tag: "Pong" }))
  socket.on("error", (error) => end("broken", messageOf(error)))
  socket.on("close", (code, reason) =>
    end("closed", `closed by the control plane, code ${code} ${reason.toString()}`.trim())
  )
}

const isBrokenOff = ({ code }: NodeJS.ErrnoException): boolean => code === "ECONNRESET" || code === "EPIPE"

const handshakeError = (error: NodeJS.ErrnoException): ClusterUnreachable =>
  isBrokenOff(error)
    ? new ClusterUnreachable({ reason: "brokenOff", message: brokenOff })
    : new ClusterUnreachable({ reason: "failed", message: messageOf(error) })

const refusal = ({ statusCode, headers }: IncomingMessage) =>
  Effect.gen(function* () {
    const { nowMs } = yield* TrustedClock
    const retryAfterMs = readRetryAfter(headers["retry-after"], { date: headers.date, nowMs: yield* nowMs })
    return new ClusterUnreachable({
      reason: "refused",
      message: `expected a WebSocket handshake, got HTTP ${statusCode}`,
      ...(statusCode === undefined ? {} : { status: statusCode }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs })
    })
  })

/** The socket is only half ours while it opens: any listener left out here would let an error kill the process. */
const upgrade = (
  url: string,
  options: ClientOptions,
  stream: Duplex
): Effect.Effect<WebSocket, ClusterUnreachable, TrustedClock> =>
  Effect.callback<WebSocket, ClusterUnreachable, TrustedClock>((resume) => {
    // It may have ended since it was handed over, and would tell nobody again.
    if (stream.destroyed)
      return resume(Effect.fail(new ClusterUnreachable({ reason: "brokenOff", message: brokenOff })))
    // It reaches `http.request` through ws, whose types leave it out.
    const beyondTypes: object = { createConnection: () => stream }
    const socket = new WebSocket(url, { ...options, ...beyondTypes })
    const fail = (failure: Effect.Effect<never, ClusterUnreachable, TrustedClock>) => {
      resume(failure)
      socket.terminate()
    }
    socket.once("open", () => resume(Effect.succeed(socket)))
    socket.on("error", (error: NodeJS.ErrnoException) => fail(Effect.fail(handshakeError(error))))
    socket.once("close", () =>
      fail(Effect.fail(new ClusterUnreachable({ reason: "failed", message: "closed during the handshake" })))
    )
    socket.once("unexpected-response", (_request, response) => {
      response.resume()
      fail(Effect.flatMap(refusal(response), Effect.fail))
    })
    return Effect.sync(() => socket.terminate())
  })

/** Polite first, then for good; nobody waits for it, so that a dead peer delays no reconnect. */
const hangUp = (socket: WebSocket): void => {
  if (socket.readyState === WebSocket.CLOSED) return
  socket.close(goingAway)
  const timer = setTimeout(() => socket.terminate(), closeTimeoutMs)
  timer.unref()
  socket.once("close", () => clearTimeout(timer))
}

const write = (operation: (done: (error?: Error | null) => void) => void): Effect.Effect<void, SessionEnd> =>
  Effect.callback<void, SessionEnd>((resume) => {
    operation((error) =>
      resume(error ? Effect.fail(new SessionEnd({ reason: "broken", message: messageOf(error) })) : Effect.void)
    )
  }).pipe(
    Effect.timeoutOrElse({
      duration: operationTimeoutMs,
      orElse: () =>
        Effect.fail(new SessionEnd({ reason: "broken", message: `nothing could be sent for ${operationTimeoutMs} ms` }))
    })
  )

const wrap = Effect.fnUntraced(function* (socket: WebSocket) {
  const frames = yield* Queue.unbounded<Frame, SessionEnd>()
  listen(socket, frames)
  return {
    frames,
    send: (bytes) => write((done) => socket.send(bytes, { binary: true, compress: false, fin: true }, done)),
    ping: (payload) => write((done) => socket.ping(payload, true, done))
  } satisfies ClusterSocket
})

/** What is left of the limit of one dial, asked again and again. */
const startLimit: Effect.Effect<Effect.Effect<number>> = Effect.map(Clock.monotonicTimeNanos, (startedAt) =>
  Effect.map(Clock.monotonicTimeNanos, (now) => Math.max(0, dialLimitMs - Number(now - startedAt) / 1_000_000))
)

/**
 * A dial that failed by either certificate. The one that counts came first, and why it failed comes first; but an answer
 * in HTTP came from who knew us, whichever certificate it was.
 */
const byEither = (first: ClusterUnreachable, { reason, message, retryAfterMs, status }: ClusterUnreachable) =>
  new ClusterUnreachable({
    reason: reason === "refused" ? reason : first.reason,
    message:
      message === first.message
        ? `${message}; by the former certificate as well`
        : `${first.message}; by the former certificate: ${message}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status })
  })

const asSessionEnd = ({ reason, message, retryAfterMs, status }: ClusterUnreachable): SessionEnd =>
  new SessionEnd({
    reason: reason === "refused" ? "refused" : "dialFailed",
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status })
  })

interface Target {
  readonly path: string
  /** Absent where there is no control plane. */
  readonly endpoint: ClusterEndpoint | undefined
  readonly maxPayload: number
}

const makeDial = Effect.fnUntraced(function* ({ path, endpoint, maxPayload }: Target) {
  const identity = yield* Identity
  const transport = yield* ClusterTransport
  const clock = yield* TrustedClock
  const { current } = yield* ClusterIdentity
  if (endpoint === undefined)
    return Effect.fail(new SessionEnd({ reason: "dialFailed", message: "no cluster_control_plane is set" }))
  const query = new URLSearchParams({
    node_id: identity.nodeId,
    node_hostname: identity.hostname,
    node_version: identity.version
  })
  const url = `wss://${formatAddress(endpoint)}${path}?${query}`
  const options: ClientOptions = { perMessageDeflate: false, maxPayload }
  const tooLate = new ClusterUnreachable({
    reason: "failed",
    message: `no WebSocket handshake from ${formatAddress(endpoint)} within ${dialLimitMs} ms`
  })

  const attempt = Effect.fnUntraced(function* (
    left: Effect.Effect<number>,
    as: NonNullable<TransportOptions["as"]>
  ): Effect.fn.Return<WebSocket, ClusterUnreachable, Scope.Scope> {
    const stream = yield* transport.connect(endpoint, { as, limitMs: yield* left })
    return yield* Effect.acquireRelease(
      upgrade(url, options, stream).pipe(
        Effect.provideService(TrustedClock, clock),
        Effect.timeoutOrElse({ duration: yield* left, orElse: () => Effect.fail(tooLate) })
      ),
      (socket) => Effect.sync(() => hangUp(socket)),
      { interruptible: true }
    )
  })

  /** A control plane that has not got our new certificate yet can't be trusted by it, and breaks off when it is shown. */
  return Effect.gen(function* () {
    const left = yield* startLimit
    const { former } = yield* SubscriptionRef.get(current)
    return yield* attempt(left, "current").pipe(
      Effect.catchIf(
        ({ reason }) => former !== undefined && (reason === "untrusted" || reason === "brokenOff"),
        (first) => Effect.mapError(attempt(left, "former"), (second) => byEither(first, second))
      )
    )
  }).pipe(Effect.mapError(asSessionEnd), Effect.flatMap(wrap))
})

type DialerServices = Settings | Identity | ClusterIdentity | ClusterTransport | TrustedClock

export const layer: Layer.Layer<ClusterDialer, never, DialerServices> = Layer.effect(
  ClusterDialer,
  Effect.gen(function* () {
    const settings = yield* Settings
    const controlPlane = settings.cluster_control_plane
    const dial = yield* makeDial({
      path: outletPath,
      endpoint: controlPlane === undefined ? undefined : { ...controlPlane, serverName: serverNameOf(settings) },
      maxPayload: settings.cluster_max_payload
    })
    return { dial }
  })
)

export const layerForTelemetry: Layer.Layer<TelemetryDialer, never, DialerServices> = Layer.effect(
  TelemetryDialer,
  Effect.gen(function* () {
    const settings = yield* Settings
    const address = settings.cluster_telemetry_endpoint ?? settings.cluster_control_plane
    const dial = yield* makeDial({
      path: telemetryPath,
      endpoint: address === undefined ? undefined : { ...address, serverName: telemetryServerNameOf(settings) },
      maxPayload: frameMaxBytes
    })
    return { dial }
  })
)
