/**
 * Limits on clients that stopped or vanished (nginx's `send_timeout` and `keepalive_timeout`): without them each would hold
 * its request, and what that holds upstream, for ever.
 */
import type { Server, ServerResponse } from "node:http"
import type { Http2Server, Http2Session, Http2Stream } from "node:http2"
import type { Socket } from "node:net"
import { breakOff } from "./breakOff.ts"
import type { Exchange } from "./exchange.ts"
import { Watchdog } from "./watchdog.ts"

/** Of an answer over HTTP/2, whose type says nothing of it. */
const streamOf = (response: ServerResponse & { readonly stream?: Http2Stream }): Http2Stream | undefined =>
  response.stream

/** A response over HTTP/2 tells its end only once the request has ended too. */
const finishOf = (response: ServerResponse): ServerResponse | Http2Stream => streamOf(response) ?? response

/** Node's own timeouts see bytes go even while a large chunk has not gone wholly. */
const limit = (response: ServerResponse, limitMs: number): void => {
  const stream = streamOf(response)
  if (stream === undefined) response.setTimeout(limitMs)
  else stream.setTimeout(limitMs)
}

/** The client took what there was. */
export const unlimitSending = ({ response }: Exchange): void => limit(response, 0)

/** From now on the client must take some of what waits for it, again and again, until `unlimitSending` or the end. */
export const limitSending = (exchange: Exchange): void => {
  const { node, response } = exchange
  if (response.writableLength === 0) return
  if (response.listenerCount("timeout") === 0) {
    response.on("timeout", () => breakOff(exchange))
    // Of HTTP/1.1 before Node's own listener, which sets the limit of an idle connection.
    finishOf(response).prependOnceListener("finish", () => unlimitSending(exchange))
  }
  limit(response, node.sendTimeoutMs)
}

/** Over HTTP/2 nothing of a request is read once it is answered; a stream whose client never ends it would stay. */
export const endWithAnswer = ({ response }: Exchange): void => {
  const stream = streamOf(response)
  stream?.once("finish", () => stream.close())
}

/**
 * Closes an HTTP/2 connection on which nothing is asked for any more, and ends one whose client says nothing at all while something
 * is, not even to a ping: Node is not told of every client that is gone while it writes to it, and would keep connection and
 * streams for ever. A ping may wait long behind what a slow client is sent; who takes that says so meanwhile.
 */
const closeWhenIdle = (session: Http2Session, socket: Socket | undefined, limitMs: number): void => {
  let open = 0
  let isAnswered = true
  let heardBytes = 0
  const end = () => {
    session.destroy()
    // A session that waits for a write to end does not let go of its socket.
    socket?.destroy()
  }
  const watchdog = new Watchdog(() => {
    const isSilent = !isAnswered && socket?.bytesRead === heardBytes
    if (session.destroyed || isSilent || (session.closed && open === 0)) return end()
    heardBytes = socket?.bytesRead ?? 0
    watchdog.arm(limitMs)
    if (open === 0) return session.close()
    isAnswered = false
    session.ping((error) => {
      if (error === null) isAnswered = true
    })
  })
  watchdog.arm(limitMs)
  session.on("stream", (stream: Http2Stream) => {
    open++
    stream.once("close", () => {
      open--
      if (open === 0 && !session.closed) watchdog.arm(limitMs)
    })
  })
  session.once("close", () => watchdog.disarm())
}

/** For every HTTP/2 connection of a server. */
export const endSessions = (server: Server | Http2Server, limitMs: number): void => {
  // Of the session that is made of it in the same turn, which shows its socket to nobody.
  let latest: Socket | undefined
  const note = (socket: Socket) => {
    latest = socket
  }
  for (const event of ["connection", "secureConnection"]) server.prependListener(event, note)
  server.on("session", (session: Http2Session) => closeWhenIdle(session, latest, limitMs))
}
