/**
 * Keeps what a control plane has not acknowledged yet, over outages and restarts: a log of records on disk, bounded in
 * bytes and in age.
 *
 * Promises: what `append` took is on disk within 100 ms and survives a power cut within a second; a record is offered
 * until it is acknowledged or dropped; within an epoch and a lane records are offered in the order of their sequence;
 * when room is short analytics goes first, oldest first, and what went is counted in the next billing record; the newest
 * billing record of an epoch is never dropped.
 */
import { Context, Effect } from "effect"
import type { Drops, Lane, TelemetryRecord } from "../model/telemetry/TelemetryRecord.ts"

/** All records of one epoch and lane up to this one. */
export interface Acknowledgement {
  readonly epoch: string
  readonly lane: Lane
  readonly sequence: number
}

export interface SpoolFacts {
  /** On disk and in memory, not acknowledged yet. */
  readonly bytes: number
  readonly records: number
  /** End of the oldest window that waits; `undefined` when none does. */
  readonly oldestMs: number | undefined
  /** Since the node started. */
  readonly dropped: Drops
  /** Why nothing can be written now; what is counted meanwhile stays in memory, within the same bounds. */
  readonly problem: string | undefined
}

export class TelemetrySpool extends Context.Service<
  TelemetrySpool,
  {
    /** What waits, oldest first, billing before analytics, up to about so many bytes as JSON. Waits until there is something. */
    readonly take: (maxBytes: number) => Effect.Effect<ReadonlyArray<TelemetryRecord>>
    /** Records that a control plane has committed: they are not offered again. Unknown ones are ignored. */
    readonly acknowledge: (acknowledged: ReadonlyArray<Acknowledgement>) => Effect.Effect<void>
    /** Ends the window that is open, and brings everything to disk: before the node stops. */
    readonly flush: Effect.Effect<void>
    readonly facts: () => SpoolFacts
  }
>()("holdfast/services/TelemetrySpool") {
  /** Of a node whose telemetry nobody takes. */
  static readonly unused: TelemetrySpool["Service"] = {
    take: () => Effect.never,
    acknowledge: () => Effect.void,
    flush: Effect.void,
    facts: () => ({
      bytes: 0,
      records: 0,
      oldestMs: undefined,
      dropped: { records: 0, requests: 0 },
      problem: undefined
    })
  }
}
