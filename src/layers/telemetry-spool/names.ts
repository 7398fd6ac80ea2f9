/**
 * The spool's files by their names. Each belongs to one epoch, which is one life of a process, and only that process appends
 * to it. A segment that nobody appends to any more says in its name what is in it, so that a start reads names, not files.
 *
 * - `<epoch>.open.v1`: the window that is open.
 * - `<epoch>.<lane>.<first>.v1`: a segment, by the sequence of its first record.
 * - `<epoch>.<lane>.<first>-<last>.<requests>.<first end>-<last end>.v1`: the same, sealed; ends of windows in milliseconds.
 */
import { isUuid } from "../../model/Field.ts"
import type { Lane } from "../../model/telemetry/TelemetryRecord.ts"
import { formatVersion } from "./lines.ts"

/** What a segment holds. */
export interface Span {
  readonly epoch: string
  readonly lane: Lane
  /** Sequences. */
  readonly first: number
  readonly last: number
  /** Of all its analytics records; 0 for billing. */
  readonly requests: number
  /** Ends of the windows of its first and last record. */
  readonly firstEndMs: number
  readonly lastEndMs: number
}

export type FileName =
  | { readonly kind: "open"; readonly epoch: string }
  | { readonly kind: "segment"; readonly epoch: string; readonly lane: Lane; readonly first: number }
  | { readonly kind: "sealed"; readonly span: Span }
  /** Of another version. */
  | { readonly kind: "foreign" }
  /** A file that was being written when its process ended. */
  | { readonly kind: "unfinished" }

const version = `v${formatVersion}`

export const openName = (epoch: string): string => `${epoch}.open.${version}`

export const segmentName = ({ epoch, lane, first }: Pick<Span, "epoch" | "lane" | "first">): string =>
  `${epoch}.${lane}.${first}.${version}`

export const sealedName = ({ epoch, lane, first, last, requests, firstEndMs, lastEndMs }: Span): string =>
  `${epoch}.${lane}.${first}-${last}.${requests}.${firstEndMs}-${lastEndMs}.${version}`

const numbers = /^(\d+)-(\d+)\.(\d+)\.(\d+)-(\d+)$/

const spanOf = (epoch: string, lane: Lane, facts: string): Span | undefined => {
  const [first, last, requests, firstEndMs, lastEndMs] = (numbers.exec(facts) ?? []).slice(1).map(Number)
  if (first === undefined || last === undefined || requests === undefined) return undefined
  if (firstEndMs === undefined || lastEndMs === undefined || first < 1 || last < first) return undefined
  return { epoch, lane, first, last, requests, firstEndMs, lastEndMs }
}

/** `undefined`: none of the spool's. */
export const readName = (name: string): FileName | undefined => {
  const [, epoch = "", what, facts, versionOf, beside] =
    /^([0-9a-f-]{36})\.(open|billing|analytics)(?:\.([\d.-]+))?\.(v\d+)(\.new)?$/.exec(name) ?? []
  if (!isUuid(epoch) || what === undefined) return undefined
  if (versionOf !== version) return { kind: "foreign" }
  if (beside !== undefined) return { kind: "unfinished" }
  if (what === "open") return facts === undefined ? { kind: "open", epoch } : undefined
  const lane = what === "billing" ? "billing" : "analytics"
  if (facts === undefined) return undefined
  if (/^[1-9]\d*$/.test(facts)) return { kind: "segment", epoch, lane, first: Number(facts) }
  const span = spanOf(epoch, lane, facts)
  return span === undefined ? undefined : { kind: "sealed", span }
}
