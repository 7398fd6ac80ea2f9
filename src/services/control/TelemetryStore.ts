/**
 * What data planes counted, kept once however often it came, added up by minutes. What `commit` returned survives the process
 * being killed, and the machine losing its power.
 */
import { Context, Data, type Effect } from "effect"
import type { Histogram } from "../../model/telemetry/Histogram.ts"
import type { NodeTelemetry } from "../../model/telemetry/NodeTelemetry.ts"
import type { TelemetryBatch } from "../../model/telemetry/TelemetryWire.ts"
import type { Acknowledgement } from "../TelemetrySpool.ts"
import type { StoreFailed } from "./ConfigStore.ts"

export const requestGroups = ["service", "route", "consumer", "status"] as const
export type RequestGroup = (typeof requestGroups)[number]

/** Milliseconds since the epoch, in whole minutes; `toMs` is the first moment that is not meant. */
export interface Period {
  readonly fromMs: number
  readonly toMs: number
}

export interface RequestsQuery extends Period {
  readonly by: RequestGroup
  /** A whole number of minutes. */
  readonly stepMs: number
  /** How many groups and steps an answer may have; where there are more, the query fails. */
  readonly pointsMax: number
}

/** Requests of one group within one step; steps and groups of which there are none are left out. */
export interface RequestsPoint {
  readonly fromMs: number
  /** Id of the service, route or consumer, `null` for requests that had none; by status: `1xx` to `5xx`. */
  readonly id: string | null
  /** By the first digit of the status, `1xx` to `5xx`. */
  readonly statuses: ReadonlyArray<number>
  /** Empty by status: latencies are not counted apart by it. */
  readonly latency: Histogram
}

export class TooManyPoints extends Data.TaggedError("TooManyPoints")<{ readonly pointsMax: number }> {}

export interface Usage {
  /** What is covered: the given bounds, else the first and the last minute known; `undefined` when nothing is. */
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
  /** The highest of what the nodes told last within the period; `undefined` when none did. */
  readonly services: number | undefined
  /** By node id. */
  readonly apiCalls: ReadonlyMap<string, number>
}

export class TelemetryStore extends Context.Service<
  TelemetryStore,
  {
    /**
     * Takes a batch whole or not at all. Of each epoch and lane, records up to the highest sequence that was taken before
     * are known, and change nothing; how far each is known afterwards is what comes back.
     */
    readonly commit: (
      nodeId: string,
      batch: TelemetryBatch
    ) => Effect.Effect<ReadonlyArray<Acknowledgement>, StoreFailed>
    readonly requests: (
      query: RequestsQuery
    ) => Effect.Effect<ReadonlyArray<RequestsPoint>, StoreFailed | TooManyPoints>
    readonly usage: (period: Partial<Period>) => Effect.Effect<Usage, StoreFailed>
    /** By node id, also of nodes that never joined. */
    readonly nodes: Effect.Effect<ReadonlyMap<string, NodeTelemetry>, StoreFailed>
  }
>()("holdfast/services/control/TelemetryStore") {}
