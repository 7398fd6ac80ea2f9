/**
 * A request's head, read once: where it wants to go, in the forms that the router and the upstream need it in. What is
 * ambiguous is refused here rather than repaired (`router.md` §1, §2; RFC 9112 §3.2).
 */
import type { IncomingMessage } from "node:http"
import type { TLSSocket } from "node:tls"
import type { RequestFacts } from "../../model/CompiledConfig.ts"
import { normalizePath, type SplitTarget, splitTarget } from "../../model/RequestPath.ts"
import type { Exchange } from "./exchange.ts"
import type { Peer } from "./peer.ts"

export interface RequestHead {
  readonly facts: RequestFacts
  readonly peer: Peer
  /** The request target as sent, in origin form. */
  readonly target: SplitTarget
  /** The Host header verbatim; empty when there was none. */
  readonly rawHost: string
  readonly isWebSocket: boolean
  readonly takesTrailers: boolean
}

const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/i
const hostForm = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]/\\?#@\s]*)(?::(\d{0,5}))?$/

interface Destination {
  readonly target: string
  readonly authority: string
}

/** The authority of an absolute-form target replaces the Host header (RFC 9112 §3.2.2). */
const destinationOf = (url: string, host: string): Destination | undefined => {
  if (url.startsWith("/")) return { target: url, authority: host }
  const [whole, authority = "", rest = ""] = absoluteForm.exec(url) ?? []
  if (whole === undefined || authority === "") return undefined
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority }
}

/** `undefined` when two Host headers contradict each other, or none came where HTTP/1.1 wants one. */
const hostHeaderOf = (request: IncomingMessage): string | undefined => {
  if (request.httpVersionMajor >= 2) return String(request.headers[":authority"] ?? request.headers.host ?? "")
  const { rawHeaders } = request
  let found: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length !== 4 || name.toLowerCase() !== "host") continue
    if (found !== undefined) return undefined
    found = rawHeaders[at + 1] ?? ""
  }
  return found ?? (request.httpVersion === "1.0" ? "" : undefined)
}

export const hasToken = (list: string | ReadonlyArray<string> | undefined, token: string): boolean =>
  list !== undefined &&
  String(list)
    .split(",")
    .some((entry) => (entry.split(";", 1)[0] ?? "").trim().toLowerCase() === token)

export const isWebSocket = (request: IncomingMessage): boolean => request.headers.upgrade?.toLowerCase() === "websocket"

/** Node groups headers by name for HTTP/1.1 only. */
const distinctHeaders = (request: IncomingMessage): NodeJS.Dict<string[]> => {
  if (request.httpVersionMajor < 2) return request.headersDistinct
  const distinct: NodeJS.Dict<string[]> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) distinct[name] = Array.isArray(value) ? value : [value]
  }
  return distinct
}

/** A body whose coding is more than chunks would reach the upstream without a word of it. */
const isCoded = ({ headers }: IncomingMessage): boolean => {
  const coding = headers["transfer-encoding"]
  return coding !== undefined && coding.toLowerCase() !== "chunked"
}

/** `undefined` for a request that nobody should have sent: 400. */
export const readHead = ({ node, listener, request, upgrade }: Exchange): RequestHead | undefined => {
  const host = hostHeaderOf(request)
  if (host === undefined || isCoded(request)) return undefined
  const destination = destinationOf(request.url ?? "", host)
  if (destination === undefined) return undefined
  const target = splitTarget(destination.target)
  const path = normalizePath(target.path)
  const [isHost, name = "", port] = hostForm.exec(destination.authority) ?? []
  if (path === undefined || isHost === undefined) return undefined
  const serverName = listener.isTls ? (request.socket as TLSSocket).servername : undefined
  return {
    target,
    rawHost: destination.authority,
    peer: node.peerOf(request),
    isWebSocket: upgrade !== undefined && isWebSocket(request),
    takesTrailers: hasToken(request.headers.te, "trailers"),
    facts: {
      method: request.method ?? "GET",
      path,
      host: name,
      port: port === undefined || port === "" ? listener.port : Number(port),
      // Grouping the headers costs more than most rules ask for: done when a rule asks.
      get headers() {
        return distinctHeaders(request)
      },
      serverName: typeof serverName === "string" && serverName !== "" ? serverName : undefined,
      isTls: listener.isTls
    }
  }
}
