/** The listeners that carry traffic. */
import { Context, type Effect } from "effect"
import type { HostPort } from "../model/SettingTypes.ts"

export interface ProxyCounts {
  /** Client connections that are open now. */
  readonly active: number
  readonly accepted: number
  readonly requests: number
  /** Requests that are being answered now. */
  readonly inFlight: number
}

export class Proxy extends Context.Service<
  Proxy,
  {
    /** Where it listens, with the ports that the system chose where a setting says 0. */
    readonly addresses: ReadonlyArray<HostPort & { readonly isTls: boolean }>
    readonly counts: () => ProxyCounts
    /** Stops accepting, lets what is in flight finish within `drain_timeout`, then closes. */
    readonly drain: Effect.Effect<void>
  }
>()("holdfast/services/Proxy") {}
