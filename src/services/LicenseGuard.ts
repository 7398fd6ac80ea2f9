/**
 * Whether this node may serve, by its licence: reference `resilience.md` §6, `DESIGN.md` "The life of a node", 7. The
 * request path reads one plain field; everybody else watches the state. No licence means no restriction.
 */
import { Context, Effect, Layer, MutableRef, SubscriptionRef } from "effect"
import type { GatewayError } from "../model/GatewayError.ts"
import { type LicenseStanding, standingOf } from "../model/LicenseStanding.ts"

/** Where a licence may stand, best first: the first of them that has one decides. */
export const licenseSources = ["configuration", "license_data", "license_path", "prefix"] as const
export type LicenseSource = (typeof licenseSources)[number]

/** What stands at a source now and was not taken, with every reason; no value of a licence is among them. */
export interface RefusedLicense {
  readonly source: LicenseSource
  readonly reasons: ReadonlyArray<string>
}

export interface LicenseReport extends LicenseStanding {
  /** Where the licence that decides was found; `undefined` when there is none. */
  readonly source: LicenseSource | undefined
  /** What has to be mended. A source whose content is refused goes on with the licence that it had before. */
  readonly refused: ReadonlyArray<RefusedLicense>
}

export const unlicensed: LicenseReport = {
  ...standingOf({ _tag: "None" }, 0, { onExpiry: "stop", graceDays: 0 }),
  source: undefined,
  refused: []
}

export class LicenseGuard extends Context.Service<
  LicenseGuard,
  {
    /** What every request is answered while the licence stops the node; read once a request, no lock, no fiber. */
    readonly refusal: MutableRef.MutableRef<GatewayError | undefined>
    readonly state: SubscriptionRef.SubscriptionRef<LicenseReport>
  }
>()("holdfast/services/LicenseGuard") {
  /** Knows of no licence, ever. */
  static readonly layerUnlicensed = Layer.effect(
    LicenseGuard,
    Effect.gen(function* () {
      return {
        refusal: MutableRef.make<GatewayError | undefined>(undefined),
        state: yield* SubscriptionRef.make(unlicensed)
      }
    })
  )
}
