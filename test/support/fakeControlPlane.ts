/** A control plane that says whatever a test wants it to: TLS and WebSocket are right, the rest is up to the test. */
import { once } from "node:events"
import { createServer } from "node:https"
import { gzipSync } from "node:zlib"
import { type WebSocket, WebSocketServer } from "ws"
import { outletPath } from "../../src/model/Wire.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"

export interface FakeControlPlane {
  readonly port: number
  /** The newest connection; waits for one when there is none. */
  readonly connection: () => Promise<WebSocket>
  readonly close: () => Promise<void>
}

export const reconfigure = (config_table: unknown, config_hash: unknown): Buffer =>
  gzipSync(JSON.stringify({ type: "reconfigure", timestamp: Date.now() / 1000, config_table, config_hash }))

export const startFakeControlPlane = async ({ cert, key }: CertificatePair): Promise<FakeControlPlane> => {
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false })
  // Kong's takes no telemetry: `/v1/telemetry` is refused.
  const sockets = new WebSocketServer({ server, path: outletPath, autoPong: false, perMessageDeflate: false })
  let newest: WebSocket | undefined
  sockets.on("connection", (socket) => {
    newest = socket
    socket.on("ping", () => socket.pong(""))
    // What a test breaks on purpose must not break the test.
    socket.on("error", () => socket.terminate())
    socket.on("close", () => {
      if (newest === socket) newest = undefined
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  return {
    port,
    connection: async () => {
      if (newest === undefined) await once(sockets, "connection", { signal: AbortSignal.timeout(20_000) })
      if (newest === undefined) throw new Error("expected a connection")
      return newest
    },
    close: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.close()
      await once(server, "close")
    }
  }
}
