/** How telemetry fares on this node, apart from the parts that carry it, so that the status listener can be asked at any time. */

import { Context, Effect, Layer, MutableRef } from "effect"
import { isoOrNull } from "../model/isoTime.ts"
import type { Acknowledgement, SpoolFacts } from "./TelemetrySpool.ts"

export type DeliveryState =
  /** `telemetry=off`: nothing is counted for anybody. */
  | { readonly _tag: "off" }
  /** What is counted stays on the node: there is nobody who would take it, as far as is known. */
  | { readonly _tag: "local"; readonly reason: string; readonly sinceMs: number }
  /** Nothing has come up yet that could be delivered. */
  | { readonly _tag: "idle" }
  | { readonly _tag: "connected"; readonly sinceMs: number }
  | {
      readonly _tag: "disconnected"
      readonly reason: string
      /** Since when nothing was acknowledged. */
      readonly sinceMs: number
      readonly attempts: number
    }

export interface LastAcknowledgement {
  /** The newest of each lane, in the order in which they came; at most one a lane. */
  readonly acknowledged: ReadonlyArray<Acknowledgement>
  readonly atMs: number
}

export interface TelemetryFacts {
  readonly delivery: DeliveryState
  readonly lastAcknowledgement: LastAcknowledgement | undefined
  /** `undefined` until the spool is there. */
  readonly spool: SpoolFacts | undefined
}

export class TelemetryStatus extends Context.Service<
  TelemetryStatus,
  {
    readonly delivery: MutableRef.MutableRef<DeliveryState>
    readonly lastAcknowledgement: MutableRef.MutableRef<LastAcknowledgement | undefined>
    readonly spool: MutableRef.MutableRef<(() => SpoolFacts) | undefined>
    readonly facts: () => TelemetryFacts
  }
>()("holdfast/services/TelemetryStatus") {
  static readonly layer = Layer.effect(
    TelemetryStatus,
    Effect.sync(() => {
      const delivery = MutableRef.make<DeliveryState>({ _tag: "idle" })
      const lastAcknowledgement = MutableRef.make<LastAcknowledgement | undefined>(undefined)
      const spool = MutableRef.make<(() => SpoolFacts) | undefined>(undefined)
      const facts = (): TelemetryFacts => ({
        delivery: MutableRef.get(delivery),
        lastAcknowledgement: MutableRef.get(lastAcknowledgement),
        spool: MutableRef.get(spool)?.()
      })
      return { delivery, lastAcknowledgement, spool, facts }
    })
  )
}

const deliveryView = (delivery: DeliveryState) => {
  const state = delivery._tag
  if (state === "off" || state === "idle") return { state }
  const since = isoOrNull(delivery.sinceMs)
  if (state === "connected") return { state, since }
  const { reason } = delivery
  return state === "local" ? { state, since, reason } : { state, since, reason, attempts: delivery.attempts }
}

/** The part `telemetry` of `GET /status`. */
export const telemetryView = ({ delivery, lastAcknowledgement, spool }: TelemetryFacts) => ({
  ...deliveryView(delivery),
  acknowledged_at: isoOrNull(lastAcknowledgement?.atMs),
  acknowledged: (lastAcknowledgement?.acknowledged ?? []).map(({ epoch, lane, sequence }) => ({
    epoch,
    lane,
    sequence
  })),
  spooled:
    spool === undefined
      ? null
      : {
          bytes: spool.bytes,
          records: spool.records,
          oldest: isoOrNull(spool.oldestMs),
          problem: spool.problem ?? null
        },
  dropped: spool?.dropped ?? null
})
