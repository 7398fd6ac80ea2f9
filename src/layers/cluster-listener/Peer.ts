/** One data plane at the other end of a WebSocket, as the session sees it: `ws` behind a few effects and a queue. */
import { Data, Effect, Queue } from "effect"
import type { WebSocket } from "ws"

export type PeerEvent =
  | { readonly _tag: "Binary"; readonly bytes: Uint8Array }
  | { readonly _tag: "Text" }
  | { readonly _tag: "Ping"; readonly text: string }
  | { readonly _tag: "Closed"; readonly reason: string }

export interface PeerIdentity {
  readonly nodeId: string
  readonly hostname: string
  readonly version: string
  readonly ip: string
  readonly certificateExpiresAtMs: number | undefined
}

export class SendFailed extends Data.TaggedError("SendFailed")<{ readonly reason: string }> {}

export interface Peer {
  readonly identity: PeerIdentity
  readonly events: Queue.Dequeue<PeerEvent>
  /** Done when the bytes are with the system; a slow reader makes it wait. */
  readonly send: (bytes: Uint8Array) => Effect.Effect<void, SendFailed>
  readonly pong: Effect.Effect<void>
  readonly close: (code: number) => Effect.Effect<void>
}

/** More than this unread is no data plane's doing: it sends one frame in 30 seconds. */
const defaultEventsMax = 64
/** How long a peer may take to answer a close. */
const closeTimeoutMs = 1000

const asBytes = (data: Buffer | ArrayBuffer | ReadonlyArray<Buffer>): Uint8Array =>
  Buffer.isBuffer(data) ? data : data instanceof ArrayBuffer ? new Uint8Array(data) : Buffer.concat(data)

export const makePeer = (
  socket: WebSocket,
  identity: PeerIdentity,
  eventsMax: number = defaultEventsMax
): Effect.Effect<Peer> =>
  Effect.map(Queue.dropping<PeerEvent>(eventsMax), (events): Peer => {
    const tell = (event: PeerEvent): void => {
      if (!Queue.offerUnsafe(events, event)) socket.terminate()
    }
    let failure: string | undefined
    socket.on("message", (data, isBinary) =>
      tell(isBinary ? { _tag: "Binary", bytes: asBytes(data) } : { _tag: "Text" })
    )
    socket.on("ping", (payload) => tell({ _tag: "Ping", text: payload.toString("latin1") }))
    socket.on("error", (error) => {
      failure = error.message
    })
    socket.on("close", (code) => tell({ _tag: "Closed", reason: failure ?? `closed by the data plane (${code})` }))
    return {
      identity,
      events,
      send: (bytes) =>
        Effect.callback<void, SendFailed>((resume) => {
          socket.send(bytes, { binary: true, compress: false, fin: true }, (error) =>
            resume(
              error === undefined || error === null
                ? Effect.void
                : Effect.fail(new SendFailed({ reason: error.message }))
            )
          )
        }),
      // Open-source data planes expect the answer to their ping to be empty (§2).
      pong: Effect.sync(() => {
        if (socket.readyState === socket.OPEN) socket.pong("")
      }),
      close: (code) =>
        Effect.sync(() => {
          socket.close(code)
          setTimeout(() => socket.terminate(), closeTimeoutMs).unref()
        })
    }
  })
