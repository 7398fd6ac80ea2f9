/** Who belongs to which trace, and who hears of it; off unless a setting asks for it. */
import { Context, Layer } from "effect"
import type { TraceContext } from "../model/tracing/TraceContext.ts"
import type { RequestObserver } from "./RequestObservers.ts"

export interface RequestTracer {
  /** Called on the request path, once a request, before it goes to an upstream. */
  readonly begin: (request: TracedRequest) => TraceContext
  /** Takes what is sampled; waits for nobody. */
  readonly observe: RequestObserver
}

export interface TracedRequest {
  /** 32 random hexadecimal characters. */
  readonly id: string
  readonly request: { readonly headers: NodeJS.Dict<string | string[]> }
}

export class Tracing extends Context.Service<
  Tracing,
  {
    /** `undefined` where nothing is traced, so that requests pay nothing for it. */
    readonly tracer: RequestTracer | undefined
  }
>()("holdfast/services/Tracing") {
  static readonly none = Layer.succeed(Tracing, { tracer: undefined })
}
