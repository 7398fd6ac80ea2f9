/** Answers to what never became a request: written to the bare connection, which then ends. */
import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { renderError } from "../../model/ErrorBody.ts"
import {
  badRequest,
  type GatewayError,
  headerTooLarge,
  methodNotAllowed,
  requestTimeout
} from "../../model/GatewayError.ts"
import type { ProxyNode } from "./exchange.ts"

const errors: Readonly<Record<string, GatewayError>> = {
  HPE_HEADER_OVERFLOW: headerTooLarge,
  ERR_HTTP_REQUEST_TIMEOUT: requestTimeout
}

const write = (node: ProxyNode, socket: Duplex, error: GatewayError): void => {
  const id = node.newRequestId()
  const { headers, body } = renderError(error, id, node.errorDefaultType, node.errorRenderers)
  const { hasServer, hasRequestId } = node.answerPolicy
  const all = [
    ...(hasServer ? ["Server", node.product] : []),
    ...headers,
    ...(hasRequestId ? ["X-Kong-Request-Id", id] : []),
    ...["Connection", "close"]
  ]
  let text = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\n`
  for (let at = 0; at + 1 < all.length; at += 2) text += `${all[at]}: ${all[at + 1]}\r\n`
  socket.end(`${text}\r\n${body}`, () => socket.destroy())
}

/** `isAnswering`: bytes of an answer are on the wire already, and another answer among them would be a lie. */
export const refuseBroken = (
  node: ProxyNode,
  socket: Duplex,
  cause: NodeJS.ErrnoException,
  isAnswering: boolean
): void => {
  if (cause.code === "ECONNRESET" || !socket.writable || isAnswering) socket.destroy()
  else write(node, socket, errors[cause.code ?? ""] ?? badRequest)
}

/** A gateway opens no tunnels on demand. */
export const refuseConnect = (node: ProxyNode, socket: Duplex): void => {
  socket.on("error", () => socket.destroy())
  write(node, socket, methodNotAllowed)
}
