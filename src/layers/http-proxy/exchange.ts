/** What lives as long as one request does, and what lives as long as the proxy does. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { MutableRef } from "effect"
import type { CompiledConfig, CompiledRoute } from "../../model/CompiledConfig.ts"
import type { Consumer } from "../../model/Entities.ts"
import type { ErrorFormat, ErrorRenderers } from "../../model/ErrorBody.ts"
import type { GatewayError } from "../../model/GatewayError.ts"
import type { PluginNode } from "../../model/plugin/Plugin.ts"
import type { TraceContext } from "../../model/tracing/TraceContext.ts"
import type { AnswerSource, ObservedRequest, RequestObserver } from "../../services/RequestObservers.ts"
import type { Resolver } from "../../services/Resolver.ts"
import type { RequestTracer } from "../../services/Tracing.ts"
import type { AnswerPolicy } from "./answerPolicy.ts"
import type { Peer } from "./peer.ts"
import type { Connections } from "./plugins/Connections.ts"
import type { HeaderNames } from "./plugins/HeaderNames.ts"
import type { PluginRun } from "./plugins/PluginRun.ts"
import type { UpstreamHeaderPolicy } from "./upstreamHeaders.ts"
import type { UpstreamPools } from "./upstreamPools.ts"

/** Fixed when the proxy starts; shared by all its requests. */
export interface ProxyNode {
  readonly current: MutableRef.MutableRef<CompiledConfig>
  /** What every request is answered, while there is such a thing. */
  readonly refusal: MutableRef.MutableRef<GatewayError | undefined>
  /** `kong/3.9.0`, as in `Server` and `Via`. */
  readonly product: string
  /** The node as plugins see it. */
  readonly pluginNode: PluginNode
  readonly connections: Connections
  readonly headerNames: HeaderNames
  readonly peerOf: (request: IncomingMessage) => Peer
  readonly errorDefaultType: ErrorFormat
  readonly errorRenderers: ErrorRenderers
  /** Which headers answers get. */
  readonly answerPolicy: AnswerPolicy
  readonly upstreamHeaderPolicy: UpstreamHeaderPolicy
  /** `allow_debug_header`. */
  readonly allowsDebug: boolean
  readonly clientBodyTimeoutMs: number
  readonly sendTimeoutMs: number
  readonly pools: UpstreamPools
  readonly resolve: Resolver["Service"]["resolve"]
  /** Monotonic. */
  readonly nowMs: () => number
  /** 32 hexadecimal characters. */
  readonly newRequestId: () => string
  readonly isDraining: () => boolean
  /** `undefined` where nothing is traced. */
  readonly tracer: RequestTracer | undefined
  /** Hears of every exchange when it is over. */
  readonly observe: RequestObserver
  /** A defect of ours, told once per request that meets it. */
  readonly reportDefect: (cause: unknown, requestId: string) => void
}

/** The listener that a request came in by. */
export interface ListenerFacts {
  /** As clients see it: `port_maps` applied. */
  readonly port: number
  readonly isTls: boolean
}

/** The connection of a request that asks to become a WebSocket. */
export interface Upgrade {
  readonly socket: Duplex
  /** What the client sent behind its request. */
  readonly head: Buffer
}

/** What becomes of a request is written here on its way, and told to the observers at its end. */
export interface Exchange extends ObservedRequest {
  readonly node: ProxyNode
  readonly listener: ListenerFacts
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly upgrade: Upgrade | undefined
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
  readonly id: string
  readonly startedAtMs: number
  /** Further headers of the answer, name after value: known once a route has matched. */
  extraHeaders: ReadonlyArray<string>
  clientAddress: string
  compiled: CompiledRoute | undefined
  consumer: Consumer | undefined
  trace: TraceContext | undefined
  /** `undefined` as long as no route with plugins has matched. */
  plugins: PluginRun | undefined
  status: number
  source: AnswerSource
  endedAtMs: number
  proxyMs: number
  upstreamMs: number
  requestBodyBytes: number
  responseBodyBytes: number
}
