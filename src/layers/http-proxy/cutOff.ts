import type { IncomingMessage } from "node:http"

/**
 * True for a request that its client broke off. Over HTTP/2 Node lets the body of such a one end as if it were whole; half
 * of an upload must not go on as an upload.
 */
export const isCutOff = (request: IncomingMessage): boolean => request.aborted
