/**
 * The answers that the gateway gives in its own name: messages of reference `proxy-behaviour.md` §3, bodies of §3.1.
 */
import { STATUS_CODES } from "node:http"

export interface GatewayError {
  readonly status: number
  readonly message: string
  /**
   * Explicit errors look at `Accept` only; core errors, those of the proxy's inner machinery, also at the request's
   * `Content-Type` and at `error_default_type`.
   */
  readonly kind: "explicit" | "core"
  /** Further headers, name after value. */
  readonly headers: ReadonlyArray<string>
}

const explicit = (status: number, message: string, headers: ReadonlyArray<string> = []): GatewayError => ({
  status,
  message,
  kind: "explicit",
  headers
})

const core = (status: number, message: string): GatewayError => ({ status, message, kind: "core", headers: [] })

export const noRoute = explicit(404, "no Route matched with those values")
export const noService = explicit(503, "no Service found with those values")
export const noPeer = explicit(503, "failure to get a peer from the ring-balancer")
export const nameResolutionFailed = explicit(503, "name resolution failed")
export const resolveFailed = (host: string, reason: string): GatewayError =>
  explicit(500, `failed the initial dns/balancer resolve for '${host}' with: ${reason}`)
export const protocolNotServed = (protocol: string): GatewayError =>
  explicit(503, `services of protocol ${protocol} are not served by this node`)
export const useHttps = explicit(426, "Please use HTTPS protocol", [
  ...["Connection", "Upgrade"],
  ...["Upgrade", "TLS/1.2, HTTP/1.1"]
])
export const redirectToHttps = (status: number, location: string): GatewayError =>
  explicit(status, STATUS_CODES[status] ?? "Redirect", ["Location", location])
export const useHttp2 = explicit(426, "Please use HTTP2 protocol", ["connection", "Upgrade", "upgrade", "HTTP/2"])
export const notGrpc = explicit(415, "Non-gRPC request matched gRPC route")
export const useGrpcs = explicit(200, "gRPC request matched gRPCs route", [
  ...["grpc-status", "1"],
  ...["grpc-message", "gRPC request matched gRPCs route"]
])

export const badRequest = core(400, "Bad request")
export const headerTooLarge = core(400, "Request header or cookie too large")
export const methodNotAllowed = core(405, "Method not allowed")
export const requestTimeout = core(408, "Request timeout")
export const expectationFailed = core(417, "Expectation failed")
export const unexpected = core(500, "An unexpected error occurred")
export const invalidResponse = core(502, "An invalid response was received from the upstream server")
export const upstreamTimeout = core(504, "The upstream server is timing out")

export type ErrorFormat = "application/grpc" | "application/json" | "application/xml" | "text/html" | "text/plain"

const formats: Readonly<Record<string, ErrorFormat>> = {
  "application/grpc": "application/grpc",
  "application/json": "application/json",
  "application/xml": "application/xml",
  "text/html": "text/html",
  "text/plain": "text/plain",
  "application/*": "application/json",
  "text/*": "text/plain"
}

const mediaType = (value: string): string => (value.split(";", 1)[0] ?? "").trim().toLowerCase()

const qualityOf = (range: string): number => {
  const found = /;\s*q=([0-9.]+)/i.exec(range)
  const quality = found === null ? 1 : Number(found[1])
  return Number.isFinite(quality) ? quality : 0
}

/** The range with the highest quality, the first among equals; what nobody knows means JSON. */
const formatForAccept = (accept: string): ErrorFormat => {
  let best = ""
  let bestQuality = 0
  for (const range of accept.split(",")) {
    const quality = qualityOf(range)
    if (quality > bestQuality) {
      best = mediaType(range)
      bestQuality = quality
    }
  }
  return formats[best] ?? "application/json"
}

export interface Negotiation {
  readonly accept: string | undefined
  readonly contentType: string | undefined
  readonly defaultType: ErrorFormat
}

export const errorFormat = (kind: GatewayError["kind"], asked: Negotiation): ErrorFormat => {
  if (asked.accept !== undefined && asked.accept !== "") return formatForAccept(asked.accept)
  if (kind === "explicit") return "application/json"
  const fromContent = asked.contentType === undefined ? undefined : formats[mediaType(asked.contentType)]
  return fromContent ?? asked.defaultType
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? character)

const renderers: Readonly<Record<ErrorFormat, (message: string, id: string) => string>> = {
  "application/grpc": () => "",
  "application/json": (message, id) => `{\n  "message":${JSON.stringify(message)},\n  "request_id":"${id}"\n}`,
  "application/xml": (message, id) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>${escape(message)}</message>\n` +
    `  <requestid>${id}</requestid>\n</error>\n`,
  "text/html": (message, id) =>
    `<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n  <body>\n` +
    `    <h1>Error</h1>\n    <p>${escape(message)}.</p>\n    <p>request_id: ${id}</p>\n  </body>\n</html>\n`,
  "text/plain": (message, id) => `${message}\nrequest_id: ${id}\n`
}

const grpcStatuses: Readonly<Record<number, number>> = {
  200: 0,
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  409: 6,
  429: 8,
  499: 1,
  500: 13,
  501: 12,
  503: 14,
  504: 4
}

export const grpcStatus = (status: number): number =>
  grpcStatuses[status] ?? (status >= 400 && status < 500 ? 3 : status >= 500 && status < 600 ? 13 : 2)

export interface RenderedError {
  /** Name after value. */
  readonly headers: ReadonlyArray<string>
  readonly body: string
}

export const renderError = (error: GatewayError, requestId: string, format: ErrorFormat): RenderedError => {
  const body = renderers[format](error.message, requestId)
  const contentType = format === "application/grpc" ? format : `${format}; charset=utf-8`
  const isGrpcTold = format !== "application/grpc" || error.headers.includes("grpc-status")
  return {
    body,
    headers: [
      ...["Content-Type", contentType],
      ...["Content-Length", String(Buffer.byteLength(body))],
      ...(isGrpcTold ? [] : ["grpc-status", String(grpcStatus(error.status)), "grpc-message", error.message]),
      ...error.headers
    ]
  }
}
