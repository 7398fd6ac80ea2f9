/** A data plane's transport with its real credentials, and something at the other end of the stream. */
import type { AddressInfo, Socket } from "node:net"
import { createServer, type TLSSocket } from "node:tls"
import { Effect, Layer, Queue } from "effect"
import * as TlsClusterTransport from "../../src/layers/cluster-transport/TlsClusterTransport.ts"
import * as PemClusterIdentity from "../../src/layers/credentials/PemClusterIdentity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { sharedServerName } from "../../src/model/Wire.ts"
import { ClusterTransport, type TransportOptions } from "../../src/services/ClusterTransport.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { fileWatch } from "./fileWatch.ts"
import { settingsLayer } from "./settings.ts"

/** Asks for a client certificate, and sends back whatever arrives. */
export const echo = Effect.fnUntraced(function* ({ cert, key }: CertificatePair) {
  const arrived = yield* Queue.unbounded<TLSSocket>()
  const open = new Set<TLSSocket>()
  const connections = new Set<Socket>()
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, (socket) => {
    open.add(socket)
    socket.on("error", () => socket.destroy())
    socket.once("close", () => open.delete(socket))
    socket.pipe(socket)
    Queue.offerUnsafe(arrived, socket)
  })
  server.on("connection", (socket: Socket) => connections.add(socket))
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () =>
      Effect.sync(() => {
        for (const socket of open) socket.destroy()
        server.close()
      })
  )
  const reset = () => {
    for (const socket of connections) socket.resetAndDestroy()
  }
  return { port, arrived, reset, openCount: () => open.size }
})

export const transport = (pair: CertificatePair, given: Partial<Record<SettingName, string>> = {}) =>
  TlsClusterTransport.layer.pipe(
    Layer.provideMerge(Layer.orDie(PemClusterIdentity.layerToleratingExpiry)),
    Layer.provide([
      fileWatch,
      TrustedClock.layerWall,
      settingsLayer({ cluster_cert: pair.cert, cluster_cert_key: pair.key, ...given })
    ])
  )

export const connect = (
  to: { readonly port: number; readonly host?: string; readonly serverName?: string },
  options?: TransportOptions
) =>
  Effect.flatMap(ClusterTransport, ({ connect }) =>
    connect({ host: to.host ?? "127.0.0.1", port: to.port, serverName: to.serverName ?? sharedServerName }, options)
  )
