/**
 * Who hears of every request when it is over: what counts, what writes the access log, what traces. An observer is
 * called on the request path, synchronously, once per request whatever became of it, and keeps nothing of what it is
 * given: the object is the request's own, and is read through, not copied.
 */
import { Context, Layer } from "effect"
import type { CompiledRoute } from "../model/CompiledConfig.ts"
import type { Consumer } from "../model/Entities.ts"
import type { TraceContext } from "../model/tracing/TraceContext.ts"

/**
 * Who answered, in Kong's words (reference `proxy-behaviour.md` §12, label `source`): an upstream; a plugin or the gateway
 * on purpose; the gateway, because something failed.
 */
export type AnswerSource = "service" | "exit" | "error"

/** A request that is over. Times are monotonic milliseconds with fractions. */
export interface ObservedRequest {
  /** 32 hexadecimal characters, as in `X-Kong-Request-Id`. */
  readonly id: string
  readonly request: {
    readonly method?: string | undefined
    /** The target as it was sent, with its query: for whoever writes access logs, and for nobody else. */
    readonly url?: string | undefined
    readonly httpVersion: string
    readonly headers: NodeJS.Dict<string | string[]>
  }
  readonly listener: { readonly isTls: boolean }
  /** After real-ip processing; empty when the request was refused before anybody looked. */
  readonly clientAddress: string
  /** `undefined` when no route matched. */
  readonly compiled: CompiledRoute | undefined
  /** Who a plugin says it is; `undefined` for nobody. */
  readonly consumer: Consumer | undefined
  /** As sent to the client; 499 when it left before there was any. */
  readonly status: number
  readonly source: AnswerSource
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** Until the request was on its way to the upstream, at its last try; -1 when it never was. */
  readonly proxyMs: number
  /** From then until the first byte of the answer, or the failure; -1 when it never was on its way. */
  readonly upstreamMs: number
  /** Set when requests are traced and this one was on its way to an upstream. */
  readonly trace?: TraceContext | undefined
  /** Of the body as it came. */
  readonly requestBodyBytes: number
  /** Of the body as it went out; for a tunnel, nothing. */
  readonly responseBodyBytes: number
}

export type RequestObserver = (request: ObservedRequest) => void

export class RequestObservers extends Context.Service<RequestObservers, ReadonlyArray<RequestObserver>>()(
  "holdfast/services/RequestObservers"
) {
  static readonly none = Layer.succeed(RequestObservers, [])
}
