/**
 * Requests that a configuration's routes answer, made from the routes themselves: one for each path of a route, the
 * other matchers at their first value. Each is judged by the gateway's own matchers before it counts; a route for which
 * none can be made is passed over with the reason.
 */
import type { RequestFacts } from "../../model/CompiledConfig.ts"
import type { ConfigTable } from "../../model/ConfigTable.ts"
import type { Route, Service } from "../../model/Entities.ts"
import { encodePath, normalizePath, toByteString } from "../../model/RequestPath.ts"
import { compileRule } from "../../model/RouteMatching.ts"
import { isRegexPath, rulesOf } from "../../model/RouteRule.ts"
import { regexExample } from "./regexExample.ts"

export interface DrillRequest {
  readonly routeId: string
  /** The route by its name, or else its id. */
  readonly route: string
  readonly method: string
  /** Percent-encoded. */
  readonly path: string
  /** `Host` among them where a route asks for one. */
  readonly headers: Readonly<Record<string, string>>
  readonly isTls: boolean
  readonly serverName: string | undefined
}

export interface Skipped {
  readonly what: string
  readonly reason: string
}

export interface DerivedRequests {
  readonly requests: ReadonlyArray<DrillRequest>
  readonly skipped: ReadonlyArray<Skipped>
}

/** A route with a hundred paths is no more worth than one with three. */
const pathsMax = 3
const requestsMax = 200
/** Methods that a plain client can send and expect an answer to. */
const plainMethods: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
/** Of the connection or of the body, not of the question: a client's library writes them as it needs them. */
const clientsOwn: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])
const preferred = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]

export const routeLabel = ({ id, name }: Pick<Route, "id" | "name">): string => name ?? id

/** `*.example.com` → `drill.example.com`, `example.*` → `example.drill`; a port stays. */
const nameFor = (pattern: string): string =>
  pattern.startsWith("*")
    ? `drill${pattern.slice(1)}`
    : pattern.replace(/\*(:\d+)?$/, (_, port: string | undefined) => `drill${port ?? ""}`)

const methodOf = ({ methods }: Route): string | undefined => {
  if (methods === null || methods.length === 0) return "GET"
  return preferred.find((method) => methods.includes(method)) ?? methods.find((method) => plainMethods.has(method))
}

/** Matched in lower case, so that the pattern is read in it. */
const headerValue = (value: string): string | undefined =>
  value.startsWith("~*") ? regexExample(value.slice(2).toLowerCase()) : value

const headersOf = ({ headers, hosts }: Route): Readonly<Record<string, string>> | undefined => {
  const found = Object.entries(headers ?? {}).map(
    ([name, values]) => [name, values.map(headerValue).find((value) => value !== undefined)] as const
  )
  if (found.some(([, value]) => value === undefined)) return undefined
  const host = hosts?.[0]
  const named = host === undefined ? [] : [["host", nameFor(host)] as const]
  return Object.fromEntries([...found, ...named].map(([name, value]) => [name, value ?? ""]))
}

/** What no client would send for it, in words; undefined when all of it can be sent. */
const unsendable = (headers: Readonly<Record<string, string>>): string | undefined => {
  const entries = Object.entries(headers)
  const own = entries.find(([name]) => clientsOwn.has(name.toLowerCase()))
  if (own !== undefined) return `it wants a header ${own[0]}, which is a client's own to write`
  const broken = entries.find(([, value]) => /[^\t\x20-\x7e\x80-\xff]/.test(value))
  return broken === undefined ? undefined : `its header ${broken[0]} has characters that no header may have`
}

const pathFor = (path: string): string | undefined => {
  if (!isRegexPath(path)) return encodePath(toByteString(path))
  const example = regexExample(path.slice(1))
  if (example === undefined) return undefined
  return encodePath(toByteString(example.startsWith("/") ? example : `/${example}`))
}

const factsOf = ({ method, path, headers, isTls, serverName }: DrillRequest): RequestFacts => {
  const [, host = "", port] = /^(.*?)(?::(\d+))?$/.exec(headers.host ?? "127.0.0.1") ?? []
  return {
    method,
    path: normalizePath(path) ?? "",
    host,
    port: port === undefined ? 0 : Number(port),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value]])),
    serverName,
    isTls
  }
}

const isMatched = (route: Route, request: DrillRequest): boolean =>
  rulesOf(route).some((rule) => {
    const compiled = compileRule(rule)
    return compiled._tag === "Matcher" && compiled.matcher(factsOf(request)) !== undefined
  })

const serves = (protocol: string): boolean => protocol === "http" || protocol === "https"

/** Why the route is passed over whole; undefined when it is not. */
const obstacle = (route: Route, service: Service | undefined): string | undefined => {
  if (!route.protocols.some(serves)) return `its protocols are ${route.protocols.join(", ")}; a drill speaks HTTP`
  if (service === undefined) return "it has no service"
  if (!service.enabled) return "its service is disabled"
  if (!serves(service.protocol)) return `its service speaks ${service.protocol}`
  return methodOf(route) === undefined
    ? `its methods are ${route.methods?.join(", ")}; a drill sends none of them`
    : undefined
}

const requestsOf = (route: Route): DerivedRequests => {
  const what = `route ${routeLabel(route)}`
  const headers = headersOf(route)
  if (headers === undefined)
    return { requests: [], skipped: [{ what, reason: "no value is known that its headers match" }] }
  const reason = unsendable(headers)
  if (reason !== undefined) return { requests: [], skipped: [{ what, reason }] }
  const isTls = !route.protocols.includes("http")
  const [sni] = route.snis ?? []
  const shared = {
    routeId: route.id,
    route: routeLabel(route),
    method: methodOf(route) ?? "GET",
    headers,
    isTls,
    serverName: isTls && sni !== undefined ? nameFor(sni).replace(/\.$/, "") : undefined
  }
  const paths = route.paths !== null && route.paths.length > 0 ? route.paths.slice(0, pathsMax) : ["/"]
  const tried = paths.map((pattern) => {
    const path = pathFor(pattern)
    const request = path === undefined ? undefined : { ...shared, path }
    return { pattern, request: request !== undefined && isMatched(route, request) ? request : undefined }
  })
  return {
    requests: tried.flatMap(({ request }) => (request === undefined ? [] : [request])),
    skipped: tried.flatMap(({ pattern, request }) =>
      request === undefined ? [{ what, reason: `no request is known that ${pattern} and the rest of it match` }] : []
    )
  }
}

export const deriveRequests = ({ routes, services }: Pick<ConfigTable, "routes" | "services">): DerivedRequests => {
  const serviceById = new Map(services.map((service) => [service.id, service]))
  const derived = routes.map((route): DerivedRequests => {
    const service = route.service === null ? undefined : serviceById.get(route.service)
    const reason = obstacle(route, service)
    return reason === undefined
      ? requestsOf(route)
      : { requests: [], skipped: [{ what: `route ${routeLabel(route)}`, reason }] }
  })
  const requests = derived.flatMap((one) => one.requests)
  const surplus = requests.length - requestsMax
  return {
    requests: requests.slice(0, requestsMax),
    skipped: [
      ...derived.flatMap((one) => one.skipped),
      ...(surplus > 0 ? [{ what: `${surplus} requests`, reason: `${requestsMax} different ones are enough` }] : [])
    ]
  }
}
