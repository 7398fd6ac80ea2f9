/** What an echo tells of a request, in the form of Kong's (`kong/plugins/request-termination/handler.lua`, 3.9). */
import { argumentsOf } from "../../model/FormArguments.ts"
import type { PluginRequest } from "../../model/plugin/Plugin.ts"

/** Of larger bodies an echo tells nothing. */
const maxBodyBytes = 65_536

const oneOrAll = <A>(named: ReadonlyMap<string, ReadonlyArray<A>>): Readonly<Record<string, A | ReadonlyArray<A>>> =>
  Object.fromEntries(
    [...named].map(([name, values]) => [name, values.length === 1 ? (values[0] as A) : values] as const)
  )

const parsed = (text: string, type: string): unknown => {
  if (type.startsWith("application/x-www-form-urlencoded")) return oneOrAll(argumentsOf(text))
  if (!type.startsWith("application/json")) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

export const echoOf = async (request: PluginRequest, message: string | undefined): Promise<string> => {
  const bytes = await request.body(maxBodyBytes)
  const text = bytes === undefined ? undefined : new TextDecoder().decode(bytes)
  const { node, route, service } = request
  return JSON.stringify({
    message,
    kong: { node_id: node.id, worker_pid: node.processId, hostname: node.hostname },
    request: {
      scheme: request.isTls ? "https" : "http",
      host: request.host.toLowerCase(),
      port: request.port,
      headers: oneOrAll(request.headers()),
      query: oneOrAll(argumentsOf(request.query.slice(1))),
      body: text === undefined ? undefined : parsed(text, (request.header("content-type") ?? "").toLowerCase()),
      raw_body: text,
      method: request.method,
      path: request.path
    },
    matched_route: { ...route, service: route.service === null ? null : { id: route.service } },
    matched_service: service
  })
}
