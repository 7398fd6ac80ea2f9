/**
 * A validated table becomes the value that the request path reads: rules sorted once, the first that matches wins.
 * Flavour `traditional_compatible`: reference `router.md` §3, §5.
 */

import type { Balancer, CompiledConfig, CompiledRoute, Match, RequestFacts } from "./CompiledConfig.ts"
import type { ConfigTable } from "./ConfigTable.ts"
import type { Route, Service, Upstream } from "./Entities.ts"
import { splitHostPort } from "./Field.ts"
import { compileChains } from "./plugin/chains.ts"
import { noPlugins, type PluginCatalogue } from "./plugin/PluginCatalogue.ts"
import { makeRoundRobin } from "./RoundRobin.ts"
import { compileRule, type RuleMatcher } from "./RouteMatching.ts"
import { compareRules, type RouteRule, rulesOf } from "./RouteRule.ts"
import { certificateLookup } from "./ServerNames.ts"
import { nameOrId } from "./shownName.ts"
import { workspacesIn } from "./Workspace.ts"

const streamProtocols: ReadonlySet<string> = new Set(["tcp", "tls", "udp", "tls_passthrough"])

const isStreamRoute = (route: Route): boolean => route.protocols.every((protocol) => streamProtocols.has(protocol))

const label = (route: Route): string => `route ${nameOrId(route)}`

interface CompiledUpstream {
  readonly upstream: Upstream
  readonly balancer: Balancer
}

const balancerOf = (table: ConfigTable, upstream: Upstream): Balancer =>
  makeRoundRobin(
    table.targets
      .filter((target) => target.upstream === upstream.id)
      .flatMap(({ target, weight }) => {
        const { host, port } = splitHostPort(target) ?? {}
        return host === undefined || port === undefined ? [] : [{ address: { host, port }, weight }]
      })
  )

/** Names of upstreams count within a workspace; rows that name none belong to the default one. */
const upstreamFinder = (table: ConfigTable) => {
  const workspaceOf = workspacesIn(table)
  const key = (row: Route | Upstream, name: string): string => `${workspaceOf(row)}/${name}`
  const compiled = new Map<string, CompiledUpstream>(
    table.upstreams.map((upstream) => [
      key(upstream, upstream.name),
      { upstream, balancer: balancerOf(table, upstream) }
    ])
  )
  return (route: Route, service: Service): CompiledUpstream | undefined => compiled.get(key(route, service.host))
}

/** Resolves a route's references once, so that no request has to. */
const routeCompiler = (table: ConfigTable, catalogue: PluginCatalogue) => {
  const services = new Map(table.services.map((service) => [service.id, service]))
  const certificates = new Map(table.certificates.map((certificate) => [certificate.id, certificate]))
  const caCertificates = new Map(table.ca_certificates.map((certificate) => [certificate.id, certificate]))
  const findUpstream = upstreamFinder(table)
  const chainFor = compileChains(table, catalogue)
  return (route: Route): CompiledRoute => {
    const service = route.service === null ? undefined : services.get(route.service)
    const found = service === undefined ? undefined : findUpstream(route, service)
    const certificateId = service?.client_certificate ?? found?.upstream.client_certificate
    return {
      route,
      service,
      balancer: found?.balancer,
      hostHeader: found?.upstream.host_header ?? undefined,
      clientCertificate:
        certificateId === undefined || certificateId === null ? undefined : certificates.get(certificateId),
      caCertificates: (service?.ca_certificates ?? []).flatMap((id) => caCertificates.get(id) ?? []),
      chain: chainFor(route)
    }
  }
}

interface Entry {
  readonly matcher: RuleMatcher
  readonly compiled: CompiledRoute
}

const firstMatch =
  (entries: ReadonlyArray<Entry>) =>
  (facts: RequestFacts): Match | undefined => {
    for (const { matcher, compiled } of entries) {
      const length = matcher(facts)
      if (length !== undefined) return { compiled, matchedPath: facts.path.slice(0, length) }
    }
    return undefined
  }

const compileEntries = (rules: ReadonlyArray<RouteRule>, compileRoute: (route: Route) => CompiledRoute) => {
  const warnings: Array<string> = []
  const compiledRoutes = new Map<Route, CompiledRoute>()
  const compiledRoute = (route: Route): CompiledRoute => {
    const compiled = compiledRoutes.get(route) ?? compileRoute(route)
    compiledRoutes.set(route, compiled)
    return compiled
  }
  const entries = rules.flatMap((rule): ReadonlyArray<Entry> => {
    const result = compileRule(rule)
    if (result._tag === "Matcher") return [{ matcher: result.matcher, compiled: compiledRoute(rule.route) }]
    warnings.push(`${label(rule.route)}: rule skipped, ${result.reason}`)
    return []
  })
  return { entries, warnings }
}

const upstreamWarnings = (table: ConfigTable): ReadonlyArray<string> =>
  table.upstreams
    .filter(({ algorithm }) => algorithm !== "round-robin")
    .map(({ algorithm, name }) => `upstream ${name}: algorithm ${algorithm} is not served yet, round-robin is used`)

/** Throws `PluginsRefused` when a plugin of the table is none of the catalogue's, or can't be made. */
export const compileConfig = (table: ConfigTable, catalogue: PluginCatalogue = noPlugins): CompiledConfig => {
  const disabled = new Set(table.services.filter(({ enabled }) => !enabled).map(({ id }) => id))
  const loaded = table.routes.filter(({ service }) => service === null || !disabled.has(service))
  const routes = loaded.filter((route) => !isStreamRoute(route))
  const streamCount = loaded.length - routes.length
  const rules = routes.flatMap(rulesOf).toSorted(compareRules)
  const { entries, warnings } = compileEntries(rules, routeCompiler(table, catalogue))
  return {
    match: firstMatch(entries),
    certificateFor: certificateLookup(table),
    routeCount: routes.length,
    warnings: [
      ...warnings,
      ...(streamCount > 0
        ? [`${streamCount} stream route(s) are not served: only http, https, grpc and grpcs are routed`]
        : []),
      ...upstreamWarnings(table)
    ]
  }
}
