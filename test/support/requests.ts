/** Requests that are over, as observers hear of them. */
import type { CompiledRoute } from "../../src/model/CompiledConfig.ts"
import type { Consumer } from "../../src/model/Entities.ts"
import type { ObservedRequest } from "../../src/services/RequestObservers.ts"

/** Ids by number, each kind of entity with its own. */
export const idOf = (kind: "service" | "route" | "consumer", n: number): string =>
  `${{ service: "5", route: "a", consumer: "c" }[kind]}0000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** What observers look at of a compiled route. */
export const compiledRoute = (route: number, service: number | undefined): CompiledRoute =>
  ({
    route: { id: idOf("route", route) },
    service: service === undefined ? undefined : { id: idOf("service", service) }
  }) as unknown as CompiledRoute

export const consumerOf = (n: number): Consumer => ({ id: idOf("consumer", n) }) as unknown as Consumer

export const finished = (facts: Partial<ObservedRequest> = {}): ObservedRequest => ({
  id: "0".repeat(32),
  request: { method: "GET", url: "/", httpVersion: "1.1", headers: {} },
  listener: { isTls: false },
  clientAddress: "127.0.0.1",
  compiled: undefined,
  consumer: undefined,
  status: 200,
  source: "service",
  startedAtMs: 0,
  endedAtMs: 10,
  proxyMs: 1,
  upstreamMs: 8,
  requestBodyBytes: 0,
  responseBodyBytes: 0,
  ...facts
})
