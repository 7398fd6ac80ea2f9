/** Answers in place of the upstream, as configured (Kong's open-source plugin, 3.9). */
import { argumentsNamed } from "../../model/FormArguments.ts"
import type { PluginAnswer, PluginContext, PluginHandler, PluginRequest } from "../../model/plugin/Plugin.ts"
import { echoOf } from "./echo.ts"
import type { RequestTerminationConfig } from "./schema.ts"

const defaultMessages: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  404: "Not found",
  405: "Method not allowed",
  500: "An unexpected error occurred",
  502: "Bad Gateway",
  503: "Service unavailable"
}

const json = (status: number, body: string): PluginAnswer => ({
  status,
  headers: ["Content-Type", "application/json; charset=utf-8"],
  body
})

const isTriggered = (request: PluginRequest, trigger: string): boolean =>
  request.header(trigger.toLowerCase()) !== undefined || argumentsNamed(request.query.slice(1), trigger).length > 0

export const requestTerminationHandler = ({ config }: PluginContext<RequestTerminationConfig>): PluginHandler => {
  const { body, content_type, echo, status_code: status, trigger } = config
  const message = config.message ?? defaultMessages[status]
  // What nginx calls a body that nobody has named.
  const fixed: PluginAnswer =
    body !== null
      ? { status, headers: ["Content-Type", content_type ?? "text/plain"], body }
      : message === undefined
        ? { status, body: "" }
        : json(status, JSON.stringify({ message }))
  return {
    access: (request) => {
      if (trigger !== null && !isTriggered(request, trigger)) return undefined
      return echo ? echoOf(request, message).then((told) => json(status, told)) : fixed
    }
  }
}
