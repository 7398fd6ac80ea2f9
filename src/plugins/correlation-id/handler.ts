/** Gives every request an id that the upstream sees, and the client where asked (Kong's open-source plugin, 3.9). */
import type { PluginContext, PluginHandler, PluginRequest } from "../../model/plugin/Plugin.ts"
import type { CorrelationIdConfig } from "./schema.ts"

type Generator = (request: PluginRequest) => string

/** Counts under a name of its own: the configuration's, made up when it is first needed. */
const makeCounter = (): Generator => {
  let prefix: string | undefined
  let count = 0
  return ({ node }) => {
    prefix ??= node.randomUuid()
    count++
    return `${prefix}#${count}`
  }
}

const track: Generator = ({ connection, node }) => {
  const { serverAddress, serverPort, serial, requests } = connection
  const seconds = (node.nowMs() / 1000).toFixed(3)
  return `${serverAddress}-${serverPort}-${node.processId}-${serial}-${requests}-${seconds}`
}

const generatorFor = ({ config, shared }: PluginContext<CorrelationIdConfig>): Generator => {
  switch (config.generator) {
    case "uuid":
      return ({ node }) => node.randomUuid()
    case "uuid#counter":
      return shared("correlation-id/counter", makeCounter)
    case "tracker":
      return track
  }
}

export const correlationIdHandler = (context: PluginContext<CorrelationIdConfig>): PluginHandler => {
  const { echo_downstream: isEchoed, header_name: name } = context.config
  const lowerName = name.toLowerCase()
  const generate = generatorFor(context)
  // Of several the first, as the original.
  const sent = (request: PluginRequest): string | undefined => request.headerValues(lowerName)[0] || undefined
  const access = (request: PluginRequest): undefined => {
    const id = sent(request)
    if (id === undefined) request.setHeader(name, generate(request))
  }
  if (!isEchoed) return { access }
  return {
    access,
    // An answer that was given before this plugin's turn is told an id too.
    headerFilter: (request, response) => response.setHeader(name, sent(request) ?? generate(request))
  }
}
