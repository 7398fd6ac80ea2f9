/**
 * Requests that ask for an upgrade that nobody serves, such as h2c, are requests like any other (RFC 9110 §7.8). Node
 * has given up their connection by the time it tells of them: it gets back what it read of them, less the `Upgrade`
 * header, and begins again.
 */
import type { IncomingMessage, Server } from "node:http"
import type { Duplex } from "node:stream"

const headOf = ({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer => {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== "upgrade") text += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
  }
  return Buffer.from(`${text}\r\n`, "latin1")
}

export const readAgain = (
  server: Server,
  request: IncomingMessage,
  socket: Duplex,
  rest: Buffer,
  isTls: boolean
): void => {
  socket.unshift(Buffer.concat([headOf(request), rest]))
  server.emit(isTls ? "secureConnection" : "connection", socket)
}
