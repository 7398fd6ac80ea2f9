/** Status and headers of the answer to the client (`proxy-behaviour.md` §2, §3.1). */
import { type IncomingMessage, STATUS_CODES } from "node:http"
import { errorFormat, renderError } from "../../model/ErrorBody.ts"
import { type GatewayError, invalidResponse, unexpected } from "../../model/GatewayError.ts"
import type { AnswerSource } from "../../services/RequestObservers.ts"
import type { Exchange } from "./exchange.ts"
import { connectionNames, copyHeaders } from "./hopByHop.ts"
import { http2Fields } from "./http2Fields.ts"
import { hasField } from "./plugins/fields.ts"
import { endWithAnswer, limitSending } from "./slowClients.ts"

/** Milliseconds that a proxied answer reports. */
export interface Latencies {
  readonly proxyMs: number
  readonly upstreamMs: number
}

const noteLatencies = (exchange: Exchange, { proxyMs, upstreamMs }: Latencies): void => {
  exchange.proxyMs = proxyMs
  exchange.upstreamMs = upstreamMs
}

const writeHead = (exchange: Exchange, status: number, reason: string | undefined, headers: Array<string>): void => {
  const { request, response } = exchange
  exchange.status = status
  if (request.httpVersionMajor >= 2) response.writeHead(status, http2Fields(headers))
  // Always with a reason: the response remembers the one of an attempt that failed.
  else response.writeHead(status, reason ?? STATUS_CODES[status] ?? "", headers)
}

/**
 * The connection ends with this answer: the node is draining, or the client was never told to send the body that it
 * announced, so that nobody can say where its next request begins.
 */
const endsConnection = ({ node, expectsContinue, response }: Exchange, isContinued: boolean): boolean =>
  node.isDraining() || (expectsContinue && !isContinued && !response.headersSent)

/** What every proxied answer gets, the gateway's own ones for a failed upstream included. */
const pushProxied = ({ node, id, extraHeaders }: Exchange, latencies: Latencies, status: number, to: Array<string>) => {
  const policy = node.answerPolicy
  if (policy.hasUpstreamStatus) to.push("X-Kong-Upstream-Status", String(status))
  if (policy.hasUpstreamLatency) to.push("X-Kong-Upstream-Latency", String(Math.round(latencies.upstreamMs)))
  if (policy.hasProxyLatency) to.push("X-Kong-Proxy-Latency", String(Math.round(latencies.proxyMs)))
  if (policy.hasRequestId) to.push("X-Kong-Request-Id", id)
  if (extraHeaders.length > 0) to.push(...extraHeaders)
}

export interface AnswerHeadOptions {
  readonly takesTrailers: boolean
  readonly latencies: Latencies
  readonly isContinued: boolean
}

/** What the upstream's headers become. Names keep their casing, repetitions and order. */
const proxiedHeaders = (exchange: Exchange, answer: IncomingMessage, options: AnswerHeadOptions): Array<string> => {
  const { product, answerPolicy } = exchange.node
  const listed = connectionNames(answer.headers.connection)
  const hasNoLength = answer.statusCode === 204
  const headers: Array<string> = []
  const isKept = (name: string): boolean =>
    !answerPolicy.dropped.has(name) &&
    !listed.has(name) &&
    (name !== "trailer" || options.takesTrailers) &&
    (name !== "content-length" || !hasNoLength)
  copyHeaders(answer.rawHeaders, isKept, headers)
  if (answerPolicy.hasServer && answer.headers.server === undefined) headers.push("Server", product)
  if (answerPolicy.hasVia) {
    const via = `${answer.httpVersion} ${product}`
    const earlier = answer.headers.via
    headers.push("Via", earlier === undefined || earlier === "" ? via : `${earlier}, ${via}`)
  }
  pushProxied(exchange, options.latencies, answer.statusCode ?? 0, headers)
  return headers
}

/** Only whole messages in chunks can be passed on: another coding would be undone by nobody. */
const isReadable = ({ headers }: IncomingMessage): boolean => {
  const coding = headers["transfer-encoding"]
  return coding === undefined || coding.toLowerCase() === "chunked"
}

/** Whether plugins let the head go; they may have changed it. */
const passesPlugins = ({ plugins }: Exchange, status: number, source: AnswerSource, headers: Array<string>): boolean =>
  plugins === undefined || plugins.filterHead(status, source, headers)

/**
 * What is answered instead, with nothing written yet, where no client may be sent this head: Node's parser reads some that
 * its writer refuses, such as status 099 or a reason with control characters; and a plugin may fail at it.
 */
export const writeAnswerHead = (
  exchange: Exchange,
  answer: IncomingMessage,
  options: AnswerHeadOptions
): GatewayError | undefined => {
  if (!isReadable(answer)) return invalidResponse
  const headers = proxiedHeaders(exchange, answer, options)
  const status = answer.statusCode ?? 0
  if (!passesPlugins(exchange, status, "service", headers)) return unexpected
  if (endsConnection(exchange, options.isContinued)) headers.push("Connection", "close")
  try {
    writeHead(exchange, status, answer.statusMessage, headers)
    exchange.source = "service"
    noteLatencies(exchange, options.latencies)
    return undefined
  } catch {
    // What was set before the refusal is of an answer that nobody gets.
    for (const name of exchange.response.getHeaderNames()) exchange.response.removeHeader(name)
    return invalidResponse
  }
}

/** `HTTP/1.1 101 …` with its headers, for the connection that stops being HTTP; `undefined` when a plugin failed at it. */
export const switchingHead = (
  exchange: Exchange,
  answer: IncomingMessage,
  latencies: Latencies
): string | undefined => {
  const headers = proxiedHeaders(exchange, answer, { takesTrailers: false, latencies, isContinued: true })
  if (!passesPlugins(exchange, 101, "service", headers)) return undefined
  exchange.status = 101
  exchange.source = "service"
  noteLatencies(exchange, latencies)
  headers.push("Connection", "Upgrade", "Upgrade", answer.headers.upgrade ?? "websocket")
  let head = `HTTP/1.1 101 ${answer.statusMessage ?? "Switching Protocols"}\r\n`
  for (let at = 0; at + 1 < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`
  return `${head}\r\n`
}

export interface ErrorOptions {
  /** Set when the request had been on its way to an upstream: such an answer counts as proxied. */
  readonly latencies: Latencies | undefined
  readonly isContinued: boolean
  /** What is left of the request will never come. */
  readonly isLast?: boolean
}

/** What an answer of the gateway's gets that never was on its way to an upstream. */
const pushOwn = ({ node, startedAtMs, id, extraHeaders }: Exchange, to: Array<string>): void => {
  const { hasResponseLatency, hasRequestId } = node.answerPolicy
  if (hasResponseLatency) to.push("X-Kong-Response-Latency", String(Math.round(node.nowMs() - startedAtMs)))
  if (hasRequestId) to.push("X-Kong-Request-Id", id)
  to.push(...extraHeaders)
}

/** An answer that came from no upstream. */
export interface OwnAnswer {
  readonly status: number
  /** Name after value, `Content-Length` among them. */
  readonly headers: ReadonlyArray<string>
  readonly body: string | Buffer
}

/** Writes such an answer whole, with what all of its kind get. */
export const answerOwn = (exchange: Exchange, { status, headers, body }: OwnAnswer, options: ErrorOptions): void => {
  const { node, response, id } = exchange
  const hasServer = node.answerPolicy.hasServer && !hasField(headers, "server")
  const all: Array<string> = hasServer ? ["Server", node.product, ...headers] : [...headers]
  if (options.latencies === undefined) pushOwn(exchange, all)
  else {
    if (node.answerPolicy.hasVia) all.push("Via", `1.1 ${node.product}`)
    pushProxied(exchange, options.latencies, status, all)
  }
  if (!passesPlugins(exchange, status, exchange.source, all)) {
    exchange.source = "error"
    answerError(exchange, unexpected, options)
    return
  }
  const isLast = options.isLast === true || endsConnection(exchange, options.isContinued)
  if (isLast && !hasField(headers, "upgrade")) all.push("Connection", "close")
  try {
    writeHead(exchange, status, undefined, all)
    exchange.responseBodyBytes = exchange.request.method === "HEAD" ? 0 : Buffer.byteLength(body)
    if (options.latencies !== undefined) noteLatencies(exchange, options.latencies)
    endWithAnswer(exchange)
    response.end(body)
    limitSending(exchange)
  } catch (cause) {
    // Called from events, where a throw would end the process.
    node.reportDefect(cause, id)
    response.destroy()
  }
}

/** The whole answer, when it is an error of the gateway's own, or one of a plugin's that is written as those are. */
export const answerError = (exchange: Exchange, error: GatewayError, options: ErrorOptions): void => {
  const { node, request, id } = exchange
  const format = errorFormat(error.kind, {
    accept: request.headers.accept,
    contentType: request.headers["content-type"],
    defaultType: node.errorDefaultType
  })
  const { headers, body } = renderError(error, id, format, node.errorRenderers)
  answerOwn(exchange, { status: error.status, headers, body }, options)
}
