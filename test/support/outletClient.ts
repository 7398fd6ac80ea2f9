/** A data plane as Kong's behaves on the wire: real TLS, real WebSocket, frames kept as they come. */
import { gunzipSync } from "node:zlib"
import { Effect, Queue } from "effect"
import { WebSocket } from "ws"
import type { Row } from "../../src/model/Entity.ts"
import { encodeBasicInfo, type PluginInfo, sharedServerName } from "../../src/model/Wire.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"

export type Heard =
  | { readonly _tag: "Opened" }
  | { readonly _tag: "Configured"; readonly message: Row }
  | { readonly _tag: "Pong"; readonly length: number }
  | { readonly _tag: "Ended"; readonly reason: string }

export interface Dial {
  readonly port: number
  /** What the server presents is trusted by this. */
  readonly trusted: CertificatePair
  /** What the client presents; nothing when absent. */
  readonly presented?: CertificatePair
  readonly query?: string
  readonly path?: string
  readonly servername?: string
  /** That it says it has. */
  readonly plugins?: ReadonlyArray<PluginInfo>
}

const nodeId = "7f1c2c0e-3f0a-4f0e-9a3b-0d3d0a3f6d11"
export const defaultQuery = `node_id=${nodeId}&node_hostname=dp-1&node_version=3.9.0`
export const defaultNodeId = nodeId

/** Dials and listens; the socket is gone with the scope. */
export const dial = Effect.fnUntraced(function* (options: Dial) {
  const { port, trusted, presented, query, path = "/v1/outlet", servername = sharedServerName } = options
  const heard = yield* Queue.unbounded<Heard>()
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const tls = {
        ca: trusted.cert,
        servername,
        perMessageDeflate: false,
        ...(presented === undefined ? {} : { cert: presented.cert, key: presented.key })
      }
      return new WebSocket(`wss://127.0.0.1:${port}${path}?${query ?? defaultQuery}`, tls)
    }),
    (opened) => Effect.sync(() => opened.terminate())
  )
  const tell = (event: Heard): void => {
    Queue.offerUnsafe(heard, event)
  }
  let reason = ""
  socket.on("open", () => tell({ _tag: "Opened" }))
  socket.on("message", (data) =>
    tell({ _tag: "Configured", message: JSON.parse(gunzipSync(data as Buffer).toString()) })
  )
  socket.on("pong", (payload) => tell({ _tag: "Pong", length: payload.length }))
  socket.on("unexpected-response", (_request, response) => {
    reason = `HTTP ${response.statusCode}`
    response.destroy()
    socket.terminate()
  })
  socket.on("error", (error) => {
    reason = reason === "" ? error.message : reason
  })
  socket.on("close", (code) => tell({ _tag: "Ended", reason: reason === "" ? String(code) : reason }))
  return { socket, heard }
})

/** The next frame of this kind, whatever comes before it. */
export const next = <T extends Heard["_tag"]>(heard: Queue.Dequeue<Heard>, tag: T) =>
  Effect.gen(function* () {
    while (true) {
      const event = yield* Queue.take(heard)
      if (event._tag === tag) return event as Extract<Heard, { readonly _tag: T }>
      if (event._tag === "Ended")
        return yield* Effect.die(new Error(`expected ${tag}, but the session ended: ${event.reason}`))
    }
  })

/** Connects as a data plane does and says who it is. */
export const join = Effect.fnUntraced(function* (options: Dial) {
  const client = yield* dial(options)
  yield* next(client.heard, "Opened")
  client.socket.send(encodeBasicInfo({ plugins: options.plugins ?? [], labels: { region: "eu" } }))
  return client
})
