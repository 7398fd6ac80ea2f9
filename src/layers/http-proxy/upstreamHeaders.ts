/** The headers of the request to the upstream: the client's, less what ends here, plus ours (`proxy-behaviour.md` §1). */
import type { IncomingMessage } from "node:http"
import type { SettingValues } from "../../model/SettingTable.ts"
import { traceparentOf } from "../../model/tracing/TraceContext.ts"
import type { RequestTracer } from "../../services/Tracing.ts"
import type { Exchange } from "./exchange.ts"
import { type Forwarded, forwardedForOf, forwardedPrefixOf } from "./forwarded.ts"
import { connectionNames, copyHeaders } from "./hopByHop.ts"
import type { RequestHead } from "./requestHead.ts"

/** Never copied: framing and hop-by-hop headers, and those that the gateway sets itself. */
const alwaysManaged: ReadonlyArray<string> = [
  "host",
  "connection",
  "keep-alive",
  "proxy",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "content-length",
  "upgrade",
  "expect",
  "http2-settings",
  "via",
  "x-real-ip",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-path",
  "x-forwarded-prefix"
]

/** What `headers_upstream` makes of requests, decided once. */
export interface UpstreamHeaderPolicy {
  readonly managed: ReadonlySet<string>
  readonly hasRequestId: boolean
}

/** Passed through as they come, unless requests are traced here. */
const traceHeaders: ReadonlyArray<string> = ["traceparent", "tracestate"]

export const makeUpstreamHeaderPolicy = (
  { headers_upstream: names }: Pick<SettingValues, "headers_upstream">,
  isTraced: boolean
): UpstreamHeaderPolicy => ({
  managed: new Set([...alwaysManaged, ...names.map((name) => name.toLowerCase()), ...(isTraced ? traceHeaders : [])]),
  hasRequestId: names.includes("X-Kong-Request-Id")
})

export type BodyFraming =
  | { readonly _tag: "None" }
  | { readonly _tag: "Length"; readonly length: string }
  | { readonly _tag: "Chunked" }

/** The parser has refused whatever could be read in two ways; what is left says one thing. */
export const framingOf = (request: IncomingMessage): BodyFraming => {
  if (request.headers["transfer-encoding"] !== undefined) return { _tag: "Chunked" }
  const length = request.headers["content-length"]
  if (length !== undefined) return length === "0" ? { _tag: "None" } : { _tag: "Length", length }
  return request.httpVersionMajor >= 2 &&
    !(request as IncomingMessage & { stream: { endAfterHeaders: boolean } }).stream.endAfterHeaders
    ? { _tag: "Chunked" }
    : { _tag: "None" }
}

/** A body that a plugin put in the place of the client's has a length. */
export const sentFraming = ({ plugins, request }: Exchange): BodyFraming => {
  const length = plugins?.request.ahead?.replacedLength
  if (length === undefined) return framingOf(request)
  return length === 0 ? { _tag: "None" } : { _tag: "Length", length: String(length) }
}

const noNames: ReadonlyArray<string> = []

/**
 * What the client said would come after its chunks, less what nobody may say there (RFC 9110 §6.5.1), and less what plugins
 * have had their say in: some servers take trailers for headers.
 */
export const announcedTrailers = (
  { node, plugins, request }: Exchange,
  framing: BodyFraming
): ReadonlyArray<string> => {
  const { connection, trailer } = request.headers
  if (trailer === undefined || framing._tag !== "Chunked") return noNames
  const listed = connectionNames(connection)
  const { managed } = node.upstreamHeaderPolicy
  const changes = plugins?.request.changes
  return String(trailer)
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && !managed.has(name) && !listed.has(name) && changes?.find(name) === undefined)
}

/** Methods whose requests commonly have a body say so when they have none (RFC 9110 §8.6). */
const tellsEmptyBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"])

const framingHeaders = (framing: BodyFraming, method: string): ReadonlyArray<string> => {
  if (framing._tag === "Chunked") return ["Transfer-Encoding", "chunked"]
  if (framing._tag === "Length") return ["Content-Length", framing.length]
  return tellsEmptyBody.has(method) ? ["Content-Length", "0"] : []
}

/** HTTP/2 may split cookies into several fields; HTTP/1.1 wants one (RFC 9113 §8.2.3). */
const isSplitCookie = (request: IncomingMessage): boolean =>
  request.httpVersionMajor >= 2 && request.headers.cookie !== undefined

const viaOf = (request: IncomingMessage, product: string): string => {
  const version = request.httpVersionMajor >= 2 ? String(request.httpVersionMajor) : request.httpVersion
  const earlier = request.headers.via
  return earlier === undefined || earlier === "" ? `${version} ${product}` : `${earlier}, ${version} ${product}`
}

export interface UpstreamHeaderInput {
  readonly exchange: Exchange
  readonly head: RequestHead
  readonly forwarded: Forwarded
  /** The path prefix that the route strips. */
  readonly stripped: string | undefined
  readonly framing: BodyFraming
  readonly trailerNames: ReadonlyArray<string>
}

const pushTrace = (exchange: Exchange, tracer: RequestTracer, to: Array<string>): void => {
  const trace = tracer.begin(exchange)
  exchange.trace = trace
  to.push("traceparent", traceparentOf(trace))
  if (trace.traceState !== undefined) to.push("tracestate", trace.traceState)
}

/** What plugins set, but for what the gateway manages. */
const pushChanges = ({ node, plugins }: Exchange, to: Array<string>): void => {
  for (const { lowerName, name, value } of plugins?.request.changes?.list ?? []) {
    if (value !== undefined && !node.upstreamHeaderPolicy.managed.has(lowerName)) to.push(name, value)
  }
}

/** All but `Host`, which depends on the target that a try is for. */
export const upstreamHeaders = (input: UpstreamHeaderInput): ReadonlyArray<string> => {
  const { exchange, head, forwarded, stripped, framing, trailerNames } = input
  const { request, node, id } = exchange
  const { headers } = request
  const { managed, hasRequestId } = node.upstreamHeaderPolicy
  const listed = connectionNames(headers.connection)
  const joinsCookies = isSplitCookie(request)
  const sent: Array<string> = []
  const changes = exchange.plugins?.request.changes
  const isKept = (name: string) =>
    !managed.has(name) && !listed.has(name) && !(joinsCookies && name === "cookie") && changes?.find(name) === undefined
  copyHeaders(request.rawHeaders, isKept, sent)
  if (joinsCookies && changes?.find("cookie") === undefined) sent.push("Cookie", headers.cookie ?? "")
  if (changes !== undefined) pushChanges(exchange, sent)
  const prefix = forwardedPrefixOf(head, headers, stripped)
  sent.push(
    ...["Connection", head.isWebSocket ? "keep-alive, Upgrade" : "keep-alive"],
    ...(head.isWebSocket ? ["Upgrade", "websocket"] : []),
    ...(head.takesTrailers ? ["TE", "trailers"] : []),
    ...["Via", viaOf(request, node.product)],
    ...["X-Forwarded-For", forwardedForOf(head, headers)],
    ...["X-Real-IP", head.peer.clientAddress],
    ...["X-Forwarded-Proto", forwarded.proto],
    ...(forwarded.host === "" ? [] : ["X-Forwarded-Host", forwarded.host]),
    ...["X-Forwarded-Port", forwarded.port],
    ...["X-Forwarded-Path", forwarded.path],
    ...(prefix === undefined ? [] : ["X-Forwarded-Prefix", prefix]),
    ...(hasRequestId ? ["X-Kong-Request-Id", id] : []),
    ...framingHeaders(framing, head.facts.method),
    ...(trailerNames.length === 0 ? [] : ["Trailer", trailerNames.join(", ")])
  )
  if (node.tracer !== undefined) pushTrace(exchange, node.tracer, sent)
  return sent
}
