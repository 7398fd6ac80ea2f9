/**
 * The compiled config: the immutable value that the request path reads. It is made whole by the control path and
 * swapped in one step; a request reads it once and keeps that one value to its end.
 */
import type { CaCertificate, Certificate, Route, Service } from "./Entities.ts"
import type { PluginChain } from "./plugin/chains.ts"

/** What the router asks of a request (`router.md` §1). All plain values, taken once. */
export interface RequestFacts {
  readonly method: string
  /** Normalised path, without the query. */
  readonly path: string
  /** Host header without its port, as sent. */
  readonly host: string
  /** Port of the Host header, or the listener's. */
  readonly port: number
  /** Lower-case names; a repeated header has several values. */
  readonly headers: NodeJS.Dict<string[]>
  /** TLS server name; `undefined` when the connection has no TLS. */
  readonly serverName: string | undefined
  readonly isTls: boolean
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** Chooses among an upstream's targets; `undefined` when none may be chosen. */
export interface Balancer {
  /** Avoids those that have just failed a request, as long as there are others (`proxy-behaviour.md` §4). */
  readonly next: (failed?: ReadonlyArray<Address>) => Address | undefined
}

/** A route with all that a request through it needs, resolved when the configuration is compiled. */
export interface CompiledRoute {
  readonly route: Route
  /** `undefined` for a route without a service. */
  readonly service: Service | undefined
  /** Set when the service's host names an upstream. */
  readonly balancer: Balancer | undefined
  /** `upstream.host_header`, when the service's host names an upstream that has one. */
  readonly hostHeader: string | undefined
  readonly clientCertificate: Certificate | undefined
  readonly caCertificates: ReadonlyArray<CaCertificate>
  /** `undefined` for a route without plugins. */
  readonly chain: PluginChain | undefined
}

export interface Match {
  readonly compiled: CompiledRoute
  /** The leading part of the path that the route's path matched; empty when the route has no path. */
  readonly matchedPath: string
}

export interface RouteMatcher {
  readonly match: (facts: RequestFacts) => Match | undefined
}

export interface CompiledConfig extends RouteMatcher {
  /** Certificate for a TLS server name (`config-model.md` §3, SNI lookup order); `undefined` means the default one. */
  readonly certificateFor: (serverName: string) => Certificate | undefined
  readonly routeCount: number
  /** Rules that were skipped, one line each: the others still work (`router.md` §5). */
  readonly warnings: ReadonlyArray<string>
}

/** The configuration of a node that has none: matches nothing. */
export const emptyConfig: CompiledConfig = {
  match: () => undefined,
  certificateFor: () => undefined,
  routeCount: 0,
  warnings: []
}
