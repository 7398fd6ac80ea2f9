/**
 * The answers that the gateway gives in its own name: reference `proxy-behaviour.md` §3. How they are written: `ErrorBody.ts`.
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

/** The licence has expired and `license_on_expiry` is `stop` (`DESIGN.md`, "The life of a node", 7). */
export const licenseExpired = explicit(503, "license expired")
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
