/**
 * What goes over the telemetry connection, both ways one binary frame of gzip over JSON: a batch from the data plane, then
 * the control plane's answer to it, then the next batch. Who sends is the connection's to know, and stands in its URL as it does in
 * the configuration's (`hybrid-protocol-v1.md` §1); each record carries its epoch and sequence.
 *
 * Read strictly on both sides: an unknown field refuses the whole frame, for it could carry what must not be told.
 */
import { Result, Schema } from "effect"
import { BillingRecord, count, TelemetryRecord } from "./TelemetryRecord.ts"

export const telemetryPath = "/v1/telemetry"

/** How much a data plane takes out of its spool for one batch, as JSON: a thousand cells or so. */
export const batchTargetBytes = 262_144
/** The largest frame, compressed, and the largest batch, as JSON; of either side. */
export const frameMaxBytes = 1_048_576
export const batchMaxBytes = 2_097_152

/** What waits at the node beyond what the batch holds. */
const SpoolReport = Schema.Struct({ bytes: count, records: count, oldest_ms: Schema.NullOr(Schema.Finite) })

const Envelope = Schema.Struct({ records: Schema.Array(Schema.Unknown), spool: SpoolReport })

const { epoch, sequence } = BillingRecord.fields
const Acknowledged = Schema.Struct({
  acknowledged: Schema.Array(Schema.Struct({ epoch, lane: Schema.Literals(["billing", "analytics"]), sequence }))
})

/**
 * Why a batch was not taken, and nothing of it committed:
 * - `unreadable`: it is none, or is larger than `batchMaxBytes`. The connection ends with it.
 * - `not_stored`: the control plane's store failed; the same batch may be sent again.
 */
const Refused = Schema.Struct({ error: Schema.Literals(["unreadable", "not_stored"]) })

const Answer = Schema.Union([Acknowledged, Refused])

export type SpoolReport = typeof SpoolReport.Type
export type TelemetryAnswer = typeof Answer.Type

export interface TelemetryBatch {
  readonly records: ReadonlyArray<TelemetryRecord>
  readonly spool: SpoolReport
}

/** A batch whose records are still to be read, one by one: reading a large one at once would hold the thread. */
export interface UnreadBatch {
  readonly records: ReadonlyArray<unknown>
  readonly spool: SpoolReport
}

const strictly = { onExcessProperty: "error" } as const
const decodeEnvelope = Schema.decodeUnknownResult(Envelope, strictly)
const decodeRecord = Schema.decodeUnknownResult(TelemetryRecord, strictly)
const decodeAnswer = Schema.decodeUnknownResult(Answer, strictly)

const parse = (json: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json))
  } catch {
    return undefined
  }
}

const encode = (value: TelemetryBatch | TelemetryAnswer): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

export const encodeBatch: (batch: TelemetryBatch) => Uint8Array = encode
export const encodeAnswer: (answer: TelemetryAnswer) => Uint8Array = encode

/** `undefined` for whatever is no batch. Why is not said: the words would have to quote what was sent. */
export const readBatch = (json: Uint8Array): UnreadBatch | undefined =>
  Result.getOrUndefined(decodeEnvelope(parse(json)))

export const readRecord = (value: unknown): TelemetryRecord | undefined => Result.getOrUndefined(decodeRecord(value))

export const readAnswer = (json: Uint8Array): TelemetryAnswer | undefined =>
  Result.getOrUndefined(decodeAnswer(parse(json)))
