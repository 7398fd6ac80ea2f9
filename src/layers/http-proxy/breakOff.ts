import type { Exchange } from "./exchange.ts"

/** An answer that broke off must not look complete, whatever told the client its end. */
export const breakOff = ({ listener, request, response }: Exchange): void => {
  // Without a length and without chunks, only a reset says that something is missing; TLS has a word of its own for it.
  if (request.httpVersion === "1.0" && !listener.isTls) response.socket?.resetAndDestroy()
  response.destroy(request.httpVersionMajor >= 2 ? new Error("the answer broke off") : undefined)
}
