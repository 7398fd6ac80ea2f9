/** The path of a request, from top to bottom. No fiber runs here, and nothing here waits for the control path. */
import type { Match } from "../../model/CompiledConfig.ts"
import {
  badRequest,
  expectationFailed,
  type GatewayError,
  methodNotAllowed,
  noRoute,
  noService,
  unexpected
} from "../../model/GatewayError.ts"
import { answerError } from "./answerHead.ts"
import { debugHeaders } from "./debugHeaders.ts"
import type { Exchange } from "./exchange.ts"
import { type Forwarded, forwardedOf } from "./forwarded.ts"
import { PluginRun } from "./plugins/PluginRun.ts"
import { type RequestHead, readHead } from "./requestHead.ts"
import { checkRoute, checkService } from "./routeChecks.ts"
import { Transfer } from "./transfer.ts"
import { planUpstream } from "./upstreamPlan.ts"

const forward = (
  exchange: Exchange,
  head: RequestHead,
  match: Match,
  forwarded: Forwarded
): GatewayError | undefined => {
  const { service } = match.compiled
  if (service === undefined) return noService
  const error = checkService(service)
  if (error !== undefined) return error
  new Transfer(exchange, planUpstream(exchange, head, match, service, forwarded)).start()
  return undefined
}

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

  const { chain } = match.compiled
  if (chain === undefined) return forward(exchange, head, match, forwarded)
  const proceed = () => attempt(exchange, () => forward(exchange, head, match, forwarded))
  exchange.plugins = new PluginRun(exchange, head, match.compiled, chain, proceed)
  exchange.plugins.access()
  return undefined
}

const refuse = (exchange: Exchange, error: GatewayError): void => {
  const isContinued = exchange.plugins?.request.ahead?.isTouched === true
  answerError(exchange, error, { latencies: undefined, isContinued })
  // What is left of a body that a plugin began to read is dropped, so that the connection stays usable.
  if (isContinued) exchange.request.resume()
}

/** What `step` finds wrong is answered; so is a defect, wherever it may yet be. */
const attempt = (exchange: Exchange, step: () => GatewayError | undefined): void => {
  try {
    const error = step()
    if (error !== undefined) refuse(exchange, error)
  } catch (cause) {
    exchange.node.reportDefect(cause, exchange.id)
    if (exchange.response.headersSent) exchange.response.destroy()
    else refuse(exchange, unexpected)
  }
}

export const serve = (exchange: Exchange): void => attempt(exchange, () => walk(exchange))

/** `Expect` knows one value, `100-continue`. */
export const refuseExpectation = (exchange: Exchange): void =>
  refuse(exchange, exchange.node.refusal.current ?? expectationFailed)

/** A gateway opens no tunnels on demand. */
export const refuseTunnel = (exchange: Exchange): void =>
  refuse(exchange, exchange.node.refusal.current ?? methodNotAllowed)
