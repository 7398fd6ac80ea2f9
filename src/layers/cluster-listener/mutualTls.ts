/**
 * `node:https` by the mutual TLS of the cluster, for whoever listens: a control plane, and a node to its neighbours. Both
 * judge who dials in by the same rules (reference `hybrid-protocol-v1.md` §1.2, §1.3). Whom they refuse gets no answer.
 */
import { constants } from "node:crypto"
import { createServer, type Server, type ServerOptions } from "node:https"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import type { SecureContextOptions } from "node:tls"
import { Effect, MutableRef, Stream, SubscriptionRef } from "effect"
import { listenFault } from "../../model/listenFault.ts"
import type { SettingName, SettingValues } from "../../model/SettingTable.ts"
import type { HostPort, ListenAddress } from "../../model/SettingTypes.ts"
import { handshakeFailure, noHandshake } from "../../model/TlsFailure.ts"
import { type ClusterCredentials, ClusterIdentity } from "../../services/ClusterIdentity.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { boundConnections, type ConnectionBounds, plainIp } from "./boundConnections.ts"
import { type CertificateCheck, certificateCheck } from "./clientCertificate.ts"
import { type RevocationCheck, revocationCheck } from "./ocsp/Revocation.ts"
import type { Refusal } from "./RefusalLog.ts"

/** Whom the present credentials let in, and what they show. A handshake goes by those that it finds. */
export interface Admission {
  readonly secureContext: SecureContextOptions
  readonly check: CertificateCheck
  readonly checkRevocation: RevocationCheck | undefined
}

/** A peer that dials in and then says nothing must not keep a socket for long. */
const handshakeTimeoutMs = 10_000
/** What sessions get to say goodbye when the listener stops. */
const drainMs = 500

export const admissionBy = (settings: SettingValues, own: ClusterCredentials): Admission => ({
  secureContext: {
    cert: own.cert,
    key: own.key,
    // In the shared mode no authority is named to the peer: it has one certificate, and shows that.
    ...(settings.cluster_mtls === "shared" ? {} : { ca: [...own.memberAuthorities] }),
    // Nothing is resumed: every connection is judged by the certificates that it shows itself.
    secureOptions: constants.SSL_OP_NO_TICKET,
    minVersion: "TLSv1.2"
  },
  check: certificateCheck(settings, own),
  checkRevocation: revocationCheck(settings, own)
})

export interface Gate {
  readonly admission: MutableRef.MutableRef<Admission>
  readonly refused: (refusal: Refusal) => void
  /** How it is told that whoever dialled refuses us. */
  readonly counterRefusal?: string
  /** Unless given, connections are not counted. */
  readonly bounds?: ConnectionBounds
  readonly handshakeMs?: number
}

const unbounded: ConnectionBounds = {
  connectionsMax: Number.POSITIVE_INFINITY,
  connectionsPerAddressMax: Number.POSITIVE_INFINITY
}

/** What is asked over its connections comes from who was let in, but for a revocation, which the caller asks for. */
export const createMutualTlsServer = (
  { admission, refused, counterRefusal, bounds = unbounded, handshakeMs = handshakeTimeoutMs }: Gate,
  options: ServerOptions = {}
): Server => {
  const server = createServer({
    headersTimeout: handshakeTimeoutMs,
    requestTimeout: handshakeTimeoutMs,
    ...options,
    ...MutableRef.get(admission).secureContext,
    requestCert: true,
    rejectUnauthorized: false
  })
  const late = (ip: string) => refused({ ip, reason: noHandshake })
  boundConnections(server, { handshakeMs, late, bounds })
  server.on("secureConnection", (socket) => {
    const problem = MutableRef.get(admission).check(socket)
    if (problem === undefined) return
    refused({ ip: plainIp(socket), reason: problem })
    socket.destroy()
  })
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    const reason = handshakeFailure(error.code, counterRefusal)
    if (reason !== undefined) refused({ ip: plainIp(socket), reason })
    socket.destroy()
  })
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

/** Listens until the scope closes; gives the port that the system chose where the setting says 0. */
export const openServer = Effect.fnUntraced(function* (server: Server, address: ListenAddress, setting: SettingName) {
  const connections = new Set<Duplex>()
  server.on("connection", (socket) => {
    connections.add(socket)
    socket.once("close", () => connections.delete(socket))
  })
  const bound = yield* listen(server, address, setting)
  yield* Effect.addFinalizer(() => stop(server, connections))
  return { host: bound.address, port: bound.port } satisfies HostPort
})

/** Goes by new credentials as they come, for ever. Who was admitted once stays. */
export const followCredentials = Effect.fnUntraced(function* (
  servers: ReadonlyArray<Server>,
  admission: MutableRef.MutableRef<Admission>
) {
  const settings = yield* Settings
  const { current } = yield* ClusterIdentity
  yield* Stream.runForEach(SubscriptionRef.changes(current), (credentials) =>
    Effect.sync(() => {
      const next = admissionBy(settings, credentials)
      for (const server of servers) server.setSecureContext(next.secureContext)
      MutableRef.set(admission, next)
    })
  )
})
