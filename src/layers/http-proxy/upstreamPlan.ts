/** Everything about the request to the upstream that does not change from try to try (`router.md` §8, `proxy-behaviour.md` §6). */
import type { Address, CompiledRoute, Match } from "../../model/CompiledConfig.ts"
import type { Service } from "../../model/Entities.ts"
import { forwardedPrefix, upstreamTarget } from "../../model/RequestPath.ts"
import type { Exchange } from "./exchange.ts"
import type { Forwarded } from "./forwarded.ts"
import type { RequestHead } from "./requestHead.ts"
import { announcedTrailers, type BodyFraming, sentFraming, upstreamHeaders } from "./upstreamHeaders.ts"

export interface UpstreamPlan {
  readonly compiled: CompiledRoute
  readonly service: Service
  readonly isTls: boolean
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyArray<string>
  readonly framing: BodyFraming
  readonly takesTrailers: boolean
  /** Of the request's own trailers, those that go along. */
  readonly trailerNames: ReadonlyArray<string>
  readonly isWebSocket: boolean
  readonly hostFor: (address: Address) => string
}

const hostWithPort = (host: string, port: number, isTls: boolean): string => {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host
  return port === (isTls ? 443 : 80) ? name : `${name}:${port}`
}

/** `router.md` §9: the client's Host verbatim, or the target's own name. */
const hostChooser = (compiled: CompiledRoute, head: RequestHead, isTls: boolean): ((address: Address) => string) => {
  const { hostHeader } = compiled
  const preserved = compiled.route.preserve_host ? head.rawHost || head.facts.serverName : undefined
  if (preserved !== undefined && preserved !== "") return () => preserved
  if (hostHeader === undefined) return ({ host, port }) => hostWithPort(host, port, isTls)
  return /:\d+$/.test(hostHeader) ? () => hostHeader : ({ port }) => hostWithPort(hostHeader, port, isTls)
}

const hostByPlugin = ({ plugins }: Exchange): ((address: Address) => string) | undefined => {
  const host = plugins?.request.changes?.find("host")?.value
  return host === undefined ? undefined : () => host
}

export const planUpstream = (
  exchange: Exchange,
  head: RequestHead,
  { compiled, matchedPath }: Match,
  service: Service,
  forwarded: Forwarded
): UpstreamPlan => {
  const isStripped = compiled.route.strip_path
  const framing: BodyFraming = head.isWebSocket ? { _tag: "None" } : sentFraming(exchange)
  const stripped = forwardedPrefix(matchedPath, isStripped)
  const trailerNames = announcedTrailers(exchange, framing)
  const isTls = service.protocol === "https"
  const query = exchange.plugins?.request.query ?? head.target.query
  return {
    compiled,
    service,
    isTls,
    method: head.facts.method,
    target: upstreamTarget({ base: service.path, path: head.facts.path, matchedPath, isStripped }, query),
    headers: upstreamHeaders({ exchange, head, forwarded, stripped, framing, trailerNames }),
    framing,
    takesTrailers: head.takesTrailers,
    trailerNames,
    isWebSocket: head.isWebSocket,
    hostFor: hostByPlugin(exchange) ?? hostChooser(compiled, head, isTls)
  }
}

/** `undefined` when the balancer has nobody left. */
export const addressFor = (
  { compiled, service }: UpstreamPlan,
  failed: ReadonlyArray<Address> | undefined
): Address | undefined =>
  compiled.balancer === undefined
    ? { host: service.host.replace(/^\[(.*)\]$/, "$1"), port: service.port }
    : compiled.balancer.next(failed)
