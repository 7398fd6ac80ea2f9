/** What a control plane knows of a node's telemetry, and how `GET /clustering/data-planes` shows it. */
import type { Row } from "../Entity.ts"
import type { Drops } from "./TelemetryRecord.ts"

export interface NodeTelemetry {
  readonly receivedMs: number
  /** Records, since the control plane started. */
  readonly committed: number
  /** Of the newest billing record; `undefined` before the first. */
  readonly epoch: string | undefined
  /** The sequences that are acknowledged of that epoch; 0 before the first. */
  readonly acknowledged: { readonly billing: number; readonly analytics: number }
  /** What waited there beyond the last batch. */
  readonly spooled: { readonly bytes: number; readonly records: number; readonly oldestMs: number | undefined }
  /** In all epochs that are known. */
  readonly dropped: Drops
}

const lastInstantMs = 8.64e15

/** `null` also for what no calendar has: a node may say anything. */
const iso = (ms: number | undefined): string | null =>
  ms === undefined || Math.abs(ms) > lastInstantMs ? null : new Date(ms).toISOString()

/** `null` for a node that never delivered any. */
export const shownTelemetry = (known: NodeTelemetry | undefined): Row | null =>
  known === undefined
    ? null
    : {
        epoch: known.epoch ?? null,
        acknowledged: known.acknowledged,
        spooled: {
          bytes: known.spooled.bytes,
          records: known.spooled.records,
          oldest: iso(known.spooled.oldestMs)
        },
        last_received: Math.floor(known.receivedMs / 1000),
        dropped: known.dropped
      }
