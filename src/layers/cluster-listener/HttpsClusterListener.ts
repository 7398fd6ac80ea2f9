/**
 * The cluster listener: `node:https` with mutual TLS, upgraded to WebSockets by `ws`. Reference
 * `hybrid-protocol-v1.md` §1.
 *
 * Whom the check of certificates refuses gets no answer at all (§1.3); why is in our log.
 */
import { constants } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { createServer, type Server } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { SecureContextOptions, TLSSocket } from "node:tls"
import { Effect, FiberSet, Layer, MutableRef, Stream, SubscriptionRef } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { commonNameFaults } from "../../model/ClusterTls.ts"
import { isUuid } from "../../model/Field.ts"
import { listenFault } from "../../model/listenFault.ts"
import { parseOutletRequest } from "../../model/OutletRequest.ts"
import type { SettingName, SettingValues } from "../../model/SettingTable.ts"
import type { ListenAddress } from "../../model/SettingTypes.ts"
import { handshakeFailure } from "../../model/TlsFailure.ts"
import { frameMaxBytes, telemetryPath } from "../../model/telemetry/TelemetryWire.ts"
import { outletPath } from "../../model/Wire.ts"
import { type ClusterCredentials, ClusterIdentity } from "../../services/ClusterIdentity.ts"
import type { Compression } from "../../services/Compression.ts"
import type { ClusterHub } from "../../services/control/ClusterHub.ts"
import { ClusterListener } from "../../services/control/Listeners.ts"
import type { Payloads } from "../../services/control/Payloads.ts"
import type { Registry } from "../../services/control/Registry.ts"
import type { TelemetryStore } from "../../services/control/TelemetryStore.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { supervise } from "../../services/supervise.ts"
import { type CertificateCheck, certificateCheck } from "./clientCertificate.ts"
import { type RevocationCheck, revocationCheck } from "./ocsp/Revocation.ts"
import { makePeer, type PeerIdentity } from "./Peer.ts"
import { makeRefusalLog, type RefusalLog } from "./RefusalLog.ts"
import { runSession } from "./session.ts"
import { runTelemetry, telemetryEventsMax } from "./telemetrySession.ts"

type SessionServices = Settings | Registry | ClusterHub | Payloads | TelemetryStore | Compression

/** Whom the present credentials let in, and what they show. A handshake goes by those that it finds. */
interface Admission {
  readonly secureContext: SecureContextOptions
  readonly check: CertificateCheck
  readonly checkRevocation: RevocationCheck | undefined
}

/** What is served at a path. */
interface Kind {
  readonly sockets: WebSocketServer
  /** Why whoever asks is not served there. */
  readonly problem: (identity: PeerIdentity) => string | undefined
  readonly serve: (
    socket: WebSocket,
    identity: PeerIdentity,
    logRefusal: RefusalLog
  ) => Effect.Effect<void, never, SessionServices>
}

/** What the callbacks of `node:https` need of the Effect side. */
interface Bridge {
  readonly run: (effect: Effect.Effect<void, never, SessionServices>) => unknown
  readonly logRefusal: RefusalLog
  /** By the path that a data plane asks for. */
  readonly kinds: ReadonlyMap<string, Kind>
  readonly admission: MutableRef.MutableRef<Admission>
}

/** A peer that dials in and then says nothing must not keep a socket for long. */
const handshakeTimeoutMs = 10_000
/** What sessions get to say goodbye when the listener stops. */
const drainMs = 500

const admissionBy = (settings: SettingValues, own: ClusterCredentials): Admission => ({
  secureContext: {
    cert: own.cert,
    key: own.key,
    // In the shared mode no authority is named to the peer: it has one certificate, and shows that.
    ...(settings.cluster_mtls === "shared" ? {} : { ca: [...own.authorities] }),
    // Nothing is resumed: every connection is judged by the certificates that it shows itself.
    secureOptions: constants.SSL_OP_NO_TICKET,
    minVersion: "TLSv1.2"
  },
  check: certificateCheck(settings, own),
  checkRevocation: revocationCheck(settings, own)
})

const plainIp = (socket: Socket): string => (socket.remoteAddress ?? "").replace(/^::ffff:/i, "")

const answer = (socket: Duplex, status: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

const identityOf = (request: IncomingMessage): PeerIdentity | undefined => {
  const { nodeId, version, hostname } = parseOutletRequest(request.url ?? "")
  if (nodeId === undefined || version === undefined) return undefined
  const socket = request.socket as TLSSocket
  const ip = plainIp(socket)
  const expiry = socket.getPeerX509Certificate()?.validToDate.getTime()
  return { nodeId, version, hostname: hostname ?? ip, ip, certificateExpiresAtMs: expiry }
}

type Admitted =
  | { readonly identity: PeerIdentity; readonly kind: Kind }
  | { readonly refusal: string; readonly reason: string }

/** The request as a data plane's, or the status line that refuses it. */
const admit = (request: IncomingMessage, kinds: Bridge["kinds"]): Admitted => {
  const kind = kinds.get(parseOutletRequest(request.url ?? "").path)
  if (kind === undefined) return { refusal: "404 Not Found", reason: "unknown path" }
  const identity = identityOf(request)
  const reason = identity === undefined ? "node_id or node_version is missing" : kind.problem(identity)
  return identity === undefined || reason !== undefined
    ? { refusal: "400 Bad Request", reason: reason ?? "" }
    : { identity, kind }
}

const welcomeUnlessRevoked = Effect.fnUntraced(function* (
  check: RevocationCheck,
  socket: TLSSocket,
  logRefusal: RefusalLog,
  welcome: () => void
) {
  const ip = plainIp(socket)
  const reason = yield* check(socket).pipe(Effect.annotateLogs({ ip }))
  if (reason === undefined) return welcome()
  yield* logRefusal({ ip, reason })
  socket.destroy()
})

const onUpgrade =
  ({ run, logRefusal, kinds, admission }: Bridge) =>
  (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // A peer may vanish at any moment; without a listener that would be an uncaught error.
    socket.on("error", () => socket.destroy())
    const admitted = admit(request, kinds)
    if ("refusal" in admitted) {
      run(logRefusal({ ip: plainIp(request.socket), reason: admitted.reason }))
      answer(socket, admitted.refusal)
    } else {
      const welcome = () =>
        admitted.kind.sockets.handleUpgrade(request, socket, head, (webSocket) => {
          run(admitted.kind.serve(webSocket, admitted.identity, logRefusal))
        })
      const { checkRevocation } = MutableRef.get(admission)
      if (checkRevocation === undefined) welcome()
      else run(welcomeUnlessRevoked(checkRevocation, request.socket as TLSSocket, logRefusal, welcome))
    }
  }

const makeServer = (bridge: Bridge): Server => {
  const { run, logRefusal, kinds, admission } = bridge
  const server = createServer({
    ...MutableRef.get(admission).secureContext,
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: handshakeTimeoutMs,
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs
  })
  server.on("secureConnection", (socket) => {
    const problem = MutableRef.get(admission).check(socket)
    if (problem === undefined) return
    run(logRefusal({ ip: plainIp(socket), reason: problem }))
    socket.destroy()
  })
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    const reason = handshakeFailure(error.code)
    if (reason !== undefined) run(logRefusal({ ip: plainIp(socket), reason }))
    socket.destroy()
  })
  server.on("request", (request, response) => {
    if (kinds.has(parseOutletRequest(request.url ?? "").path)) request.socket.destroy()
    else response.writeHead(404, { connection: "close" }).end()
  })
  server.on("upgrade", onUpgrade(bridge))
  return server
}

const listen = (server: Server, address: ListenAddress, setting: SettingName) =>
  Effect.callback<AddressInfo, StartError>((resume) => {
    const onError = (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new StartError({ faults: [listenFault(setting, address, error.code)], exitCode: 1 })))
    server.once("error", onError)
    server.listen({ host: address.host, port: address.port }, () => {
      server.off("error", onError)
      resume(Effect.succeed(server.address() as AddressInfo))
    })
  })

const stop = (server: Server, connections: ReadonlySet<Duplex>) =>
  Effect.callback<void>((resume) => {
    const impatience = setTimeout(() => {
      for (const socket of connections) socket.destroy()
    }, drainMs)
    server.close(() => {
      clearTimeout(impatience)
      resume(Effect.void)
    })
  })

const open = Effect.fnUntraced(function* (bridge: Bridge, address: ListenAddress, setting: SettingName) {
  const server = makeServer(bridge)
  const connections = new Set<Duplex>()
  server.on("connection", (socket) => {
    connections.add(socket)
    socket.once("close", () => connections.delete(socket))
  })
  const bound = yield* listen(server, address, setting)
  yield* Effect.addFinalizer(() => stop(server, connections))
  return { server, host: bound.address, port: bound.port }
})

const webSockets = (maxPayload: number): WebSocketServer => {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload, autoPong: false })
  // An invalid handshake is closed without an answer (§1.3).
  sockets.on("wsClientError", (_error, socket) => socket.destroy())
  return sockets
}

const outletOf = ({ cluster_max_payload }: SettingValues): Kind => ({
  sockets: webSockets(cluster_max_payload),
  problem: () => undefined,
  serve: (socket, identity, logRefusal) =>
    Effect.flatMap(makePeer(socket, identity), (peer) => runSession(peer, logRefusal))
})

const makeTelemetry = (): Kind => ({
  sockets: webSockets(frameMaxBytes),
  problem: ({ nodeId }) => (isUuid(nodeId) ? undefined : "node_id is no UUID"),
  serve: (socket, identity, logRefusal) =>
    Effect.flatMap(
      makePeer(socket, { ...identity, nodeId: identity.nodeId.toLowerCase() }, telemetryEventsMax),
      (peer) => runTelemetry(peer, logRefusal)
    )
})

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { current } = yield* ClusterIdentity
  const own = yield* SubscriptionRef.get(current)
  const faults = commonNameFaults(settings, own.commonName)
  if (faults.length > 0) return yield* new StartError({ faults, exitCode: 2 })
  const fibers = yield* FiberSet.make<unknown, unknown>()
  const run = yield* FiberSet.runtime(fibers)<SessionServices>()
  const admission = MutableRef.make(admissionBy(settings, own))
  const logRefusal = yield* makeRefusalLog
  const telemetry = [telemetryPath, makeTelemetry()] as const
  const both: Bridge = { run, logRefusal, kinds: new Map([[outletPath, outletOf(settings)], telemetry]), admission }
  const telemetryOnly: Bridge = { ...both, kinds: new Map([telemetry]) }
  const listeners = yield* Effect.forEach(settings.cluster_listen, (address) => open(both, address, "cluster_listen"))
  const telemetryListeners = yield* Effect.forEach(settings.cluster_telemetry_listen, (address) =>
    open(telemetryOnly, address, "cluster_telemetry_listen")
  )
  /** Sessions that stand were admitted once, and stay. */
  const admitBy = (credentials: ClusterCredentials) =>
    Effect.sync(() => {
      const next = admissionBy(settings, credentials)
      for (const { server } of [...listeners, ...telemetryListeners]) server.setSecureContext(next.secureContext)
      MutableRef.set(admission, next)
    })
  yield* supervise("cluster credentials of the listener", Stream.runForEach(SubscriptionRef.changes(current), admitBy))
  // Registered last and so run first: sessions say goodbye before their listener goes.
  yield* Effect.addFinalizer(() => FiberSet.clear(fibers))
  const boundOf = (opened: typeof listeners) => opened.map(({ host, port }) => ({ host, port }))
  return ClusterListener.of({ addresses: boundOf(listeners), telemetryAddresses: boundOf(telemetryListeners) })
})

export const layer: Layer.Layer<ClusterListener, StartError, ClusterIdentity | SessionServices> = Layer.effect(
  ClusterListener,
  make
)
