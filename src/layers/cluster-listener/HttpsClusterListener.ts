/**
 * The cluster listener: `node:https` with mutual TLS, upgraded to WebSockets by `ws`. Reference
 * `hybrid-protocol-v1.md` §1.
 *
 * Whom the check of certificates refuses gets no answer at all (§1.3); why is in our log.
 */
import type { IncomingMessage } from "node:http"
import type { Server } from "node:https"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { Effect, FiberSet, Layer, MutableRef, SubscriptionRef } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { commonNameFaults } from "../../model/ClusterTls.ts"
import { isUuid } from "../../model/Field.ts"
import { parseOutletRequest } from "../../model/OutletRequest.ts"
import type { SettingName, SettingValues } from "../../model/SettingTable.ts"
import type { ListenAddress } from "../../model/SettingTypes.ts"
import { frameMaxBytes, telemetryPath } from "../../model/telemetry/TelemetryWire.ts"
import { outletPath } from "../../model/Wire.ts"
import { ClusterIdentity } from "../../services/ClusterIdentity.ts"
import type { Compression } from "../../services/Compression.ts"
import type { ClusterHub } from "../../services/control/ClusterHub.ts"
import { ClusterListener } from "../../services/control/Listeners.ts"
import type { Payloads } from "../../services/control/Payloads.ts"
import type { Registry } from "../../services/control/Registry.ts"
import type { TelemetryStore } from "../../services/control/TelemetryStore.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { supervise } from "../../services/supervise.ts"
import { plainIp } from "./boundConnections.ts"
import { type Admission, admissionBy, createMutualTlsServer, followCredentials, openServer } from "./mutualTls.ts"
import type { RevocationCheck } from "./ocsp/Revocation.ts"
import { makePeer, type PeerIdentity } from "./Peer.ts"
import { makeRefusalLog, type RefusalLog } from "./RefusalLog.ts"
import { runSession } from "./session.ts"
import { runTelemetry, telemetryEventsMax } from "./telemetrySession.ts"

type SessionServices = Settings | Registry | ClusterHub | Payloads | TelemetryStore | Compression

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
  const server = createMutualTlsServer({ admission, refused: (refusal) => void run(logRefusal(refusal)) })
  server.on("request", (request, response) => {
    if (kinds.has(parseOutletRequest(request.url ?? "").path)) request.socket.destroy()
    else response.writeHead(404, { connection: "close" }).end()
  })
  server.on("upgrade", onUpgrade(bridge))
  return server
}

const open = Effect.fnUntraced(function* (bridge: Bridge, address: ListenAddress, setting: SettingName) {
  const server = makeServer(bridge)
  return { server, ...(yield* openServer(server, address, setting)) }
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
  const servers = [...listeners, ...telemetryListeners].map(({ server }) => server)
  yield* supervise("cluster credentials of the listener", followCredentials(servers, admission))
  // Registered last and so run first: sessions say goodbye before their listener goes.
  yield* Effect.addFinalizer(() => FiberSet.clear(fibers))
  const boundOf = (opened: typeof listeners) => opened.map(({ host, port }) => ({ host, port }))
  return ClusterListener.of({ addresses: boundOf(listeners), telemetryAddresses: boundOf(telemetryListeners) })
})

export const layer: Layer.Layer<ClusterListener, StartError, ClusterIdentity | SessionServices> = Layer.effect(
  ClusterListener,
  make
)
