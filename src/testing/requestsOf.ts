/** Requests that a configuration promises to serve: one for each of its routes, made of the first of each of its matchers. */
import type { RequestFacts } from "../model/CompiledConfig.ts"
import type { ConfigTable } from "../model/ConfigTable.ts"
import type { Route } from "../model/Entities.ts"

const streamProtocols: ReadonlySet<string> = new Set(["tcp", "tls", "udp", "tls_passthrough"])

const firstOf = <A>(values: ReadonlyArray<A> | null): A | undefined => values?.[0]

const hostOf = (pattern: string | undefined): { readonly host: string; readonly port: number } => {
  const [name = "any.example", port = "80"] = (pattern ?? "any.example").split(/:(?=\d+$)/)
  return { host: name.replace(/^\*/, "any").replace(/\*$/, "example"), port: Number(port) }
}

/** `undefined` where a request can't be made up: regular expressions, and matchers that only streams have. */
const requestOf = (route: Route): RequestFacts | undefined => {
  const path = firstOf(route.paths) ?? "/"
  const values = Object.entries(route.headers ?? {})
  if (path.startsWith("~") || values.some(([, all]) => firstOf(all)?.startsWith("~*") !== false)) return undefined
  return {
    method: firstOf(route.methods) ?? "GET",
    path,
    ...hostOf(firstOf(route.hosts)),
    headers: Object.fromEntries(values.map(([name, all]) => [name.toLowerCase(), [all[0] ?? ""]])),
    serverName: firstOf(route.snis)?.replace(/\*/, "any"),
    isTls: !route.protocols.includes("http")
  }
}

export interface ExpectedRequest {
  readonly route: Route
  readonly facts: RequestFacts
}

/** Of the routes that are served: not those of disabled services, nor those of streams. */
export const requestsOf = (table: ConfigTable): ReadonlyArray<ExpectedRequest> => {
  const disabled = new Set(table.services.filter(({ enabled }) => !enabled).map(({ id }) => id))
  return table.routes.flatMap((route) => {
    const isServed =
      (route.service === null || !disabled.has(route.service)) &&
      route.protocols.some((protocol) => !streamProtocols.has(protocol)) &&
      (route.sources ?? []).length === 0 &&
      (route.destinations ?? []).length === 0
    const facts = isServed ? requestOf(route) : undefined
    return facts === undefined ? [] : [{ route, facts }]
  })
}
