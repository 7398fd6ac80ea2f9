/** Where a host name leads, for the request path: no fiber, and no waiting where the answer is known. */
import { Context } from "effect"
import type { Address } from "../model/CompiledConfig.ts"

/** A name that leads nowhere. The fields are those of Node's own failures, so that both are told alike. */
export class ResolveFailure extends Error {
  override readonly name = "ResolveFailure"
  readonly syscall = "getaddrinfo"
  /** `ENOTFOUND` when the name does not exist or has no address; otherwise what went wrong with asking. */
  readonly code: string

  constructor(host: string, code: string) {
    super(`${host} can't be resolved: ${code}`)
    this.code = code
  }
}

export interface ResolverStats {
  readonly names: number
  /** Answers from the cache, fresh or out of date, and those that had to wait for a server. */
  readonly hits: number
  readonly stale: number
  readonly misses: number
  /** Questions to servers, and those that failed in any way but "no such name". */
  readonly queries: number
  readonly failures: number
}

export class Resolver extends Context.Service<
  Resolver,
  {
    /**
     * The next of the host's addresses; the port is the given one unless the host's records name another. `done` is
     * called before this returns when the answer is known, and exactly once in any case.
     */
    readonly resolve: (address: Address, done: (found: Address | ResolveFailure) => void) => void
    readonly stats: () => ResolverStats
  }
>()("holdfast/services/Resolver") {}
