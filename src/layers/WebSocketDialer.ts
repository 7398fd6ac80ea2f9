/**
 * ClusterDialer by `ws` over `node:tls`, mutual TLS (reference `hybrid-protocol-v1.md` §1.1, §1.2). In the shared mode the
 * cluster certificate is its own trust anchor and is expected under a fixed server name; in the others an authority
 * vouches for the name that was dialled, or for `cluster_server_name`.
 */
import { type ConnectionOptions, checkServerIdentity, createSecureContext, type PeerCertificate } from "node:tls"
import { Cause, Effect, Layer, Queue } from "effect"
import { type ClientOptions, type RawData, WebSocket } from "ws"
import { depthProblem, serverNameOf } from "../model/ClusterTls.ts"
import { isVerificationFailure, verificationFailure } from "../model/TlsFailure.ts"
import { outletPath } from "../model/Wire.ts"
import { ClusterDialer, type ClusterSocket, type Frame, SessionEnd } from "../services/ClusterDialer.ts"
import { ClusterIdentity } from "../services/ClusterIdentity.ts"
import { Identity } from "../services/Identity.ts"
import { Settings } from "../services/Settings.ts"

/** One WebSocket operation may take this long (§1). */
const operationTimeoutMs = 5_000
/** How long a peer may leave a close frame unanswered before the socket is torn down. */
const closeTimeoutMs = 1_000
const goingAway = 1001

const messageOf = (error: NodeJS.ErrnoException): string => {
  const { code = "", message, name } = error
  if (isVerificationFailure(code)) return `the control plane's certificate ${verificationFailure(code)}`
  return message === "" ? code || name : message
}

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

/** All that a control plane lets those know whom it refuses (§1.3). */
const brokenOff =
  "the control plane broke off without an answer, as with a certificate that it refuses: its log says why"

/** The socket is only half ours while it opens: any listener left out here would let an error kill the process. */
const open = (url: string, options: ClientOptions): Effect.Effect<WebSocket, SessionEnd> =>
  Effect.callback<WebSocket, SessionEnd>((resume) => {
    const socket = new WebSocket(url, options)
    const fail = (message: string) => {
      resume(Effect.fail(new SessionEnd({ reason: "dialFailed", message })))
      socket.terminate()
    }
    socket.once("open", () => resume(Effect.succeed(socket)))
    socket.on("error", (error: NodeJS.ErrnoException) =>
      fail(error.code === "ECONNRESET" ? brokenOff : messageOf(error))
    )
    socket.once("close", () => fail("closed during the handshake"))
    socket.once("unexpected-response", (_request, response) => {
      response.resume()
      fail(`expected a WebSocket handshake, got HTTP ${response.statusCode}`)
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

/** An IPv6 address needs its brackets back. */
const authority = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`

const problem = (reason: string): Error => new Error(`the control plane's certificate is refused: ${reason}`)

/** Runs after the chain has been verified, for what only the peer's certificates together can tell. */
const verify =
  (depth: number) =>
  (name: string, certificate: PeerCertificate): Error | undefined => {
    const misnamed = checkServerIdentity(name, certificate)
    if (misnamed !== undefined)
      return problem(`expected the name ${name} (${"reason" in misnamed ? misnamed.reason : misnamed.message})`)
    const tooDeep = depthProblem(certificate, depth, "lua_ssl_verify_depth")
    return tooDeep === undefined ? undefined : problem(tooDeep)
  }

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const identity = yield* Identity
  const { cert, key, authorities } = yield* ClusterIdentity
  const query = new URLSearchParams({
    node_id: identity.nodeId,
    node_hostname: identity.hostname,
    node_version: identity.version
  })
  const tls: ConnectionOptions = {
    // Made once: a machine's store of authorities is hundreds of certificates.
    secureContext: createSecureContext({ cert, key, ca: [...authorities], minVersion: "TLSv1.2" }),
    servername: serverNameOf(settings),
    checkServerIdentity: verify(settings.lua_ssl_verify_depth)
  }
  // It reaches `tls.connect` through ws, whose types leave half of it out.
  const beyondTypes: object = tls
  const options: ClientOptions = {
    ...beyondTypes,
    perMessageDeflate: false,
    maxPayload: settings.cluster_max_payload,
    handshakeTimeout: operationTimeoutMs
  }
  const controlPlane = settings.cluster_control_plane
  const dial =
    controlPlane === undefined
      ? Effect.fail(new SessionEnd({ reason: "dialFailed", message: "no cluster_control_plane is set" }))
      : Effect.acquireRelease(
          // ws bounds the handshake only once the connection is made; name resolution and TCP count as well.
          open(`wss://${authority(controlPlane)}${outletPath}?${query}`, options).pipe(
            Effect.timeoutOrElse({
              duration: operationTimeoutMs,
              orElse: () =>
                Effect.fail(
                  new SessionEnd({ reason: "dialFailed", message: `no connection within ${operationTimeoutMs} ms` })
                )
            })
          ),
          (socket) => Effect.sync(() => hangUp(socket)),
          { interruptible: true }
        ).pipe(Effect.flatMap(wrap))
  return ClusterDialer.of({ dial })
})

export const layer: Layer.Layer<ClusterDialer, never, Settings | Identity | ClusterIdentity> = Layer.effect(
  ClusterDialer,
  make
)
