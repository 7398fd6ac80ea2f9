/** The path of a request, from top to bottom. No fiber runs here, and nothing here waits for the control path. */
import {
  badRequest,
  expectationFailed,
  type GatewayError,
  noRoute,
  noService,
  unexpected
} from "../../model/GatewayError.ts"
import { answerError } from "./answerHead.ts"
import { debugHeaders } from "./debugHeaders.ts"
import type { Exchange } from "./exchange.ts"
import { forwardedOf } from "./forwarded.ts"
import { readHead } from "./requestHead.ts"
import { checkRoute } from "./routeChecks.ts"
import { Transfer } from "./transfer.ts"
import { planUpstream } from "./upstreamPlan.ts"

const walk = (exchange: Exchange): GatewayError | undefined => {
  // First: a node that may not serve looks at no request.
  const refusal = exchange.node.refusal.current
  if (refusal !== undefined) return refusal

  // Once: what is swapped in while this request lives is for the next one.
  const config = exchange.node.current.current

  const head = readHead(exchange)
  if (head === undefined) return badRequest
  exchange.clientAddress = head.peer.clientAddress

  const match = config.match(head.facts)
  if (match === undefined) return noRoute
  exchange.compiled = match.compiled
  if (exchange.node.allowsDebug) exchange.extraHeaders = debugHeaders(exchange.request, match.compiled)

  const forwarded = forwardedOf(head, exchange.request.headers, exchange.listener)
  const mismatch = checkRoute(match.compiled, exchange.request, forwarded, head.target.path + head.target.query)
  if (mismatch !== undefined) return mismatch

  const { service } = match.compiled
  if (service === undefined) return noService

  new Transfer(exchange, planUpstream(exchange, head, match, service, forwarded)).start()
  return undefined
}

const refuse = (exchange: Exchange, error: GatewayError): void =>
  answerError(exchange, error, { latencies: undefined, isContinued: false })

export const serve = (exchange: Exchange): void => {
  try {
    const error = walk(exchange)
    if (error !== undefined) refuse(exchange, error)
  } catch (cause) {
    exchange.node.reportDefect(cause, exchange.id)
    if (exchange.response.headersSent) exchange.response.destroy()
    else refuse(exchange, unexpected)
  }
}

/** `Expect` knows one value, `100-continue`. */
export const refuseExpectation = (exchange: Exchange): void =>
  refuse(exchange, exchange.node.refusal.current ?? expectationFailed)
