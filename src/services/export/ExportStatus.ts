/** How exporting fares, for whoever is asked how the node is. */
import { isoOrNull } from "../../model/isoTime.ts"
import type { exportSeries } from "../../model/metrics/exportSeries.ts"
import { asNumber, one, type SamplesOf, seconds } from "../../model/metrics/Series.ts"
import type { ObjectStoreTrouble } from "../ObjectStore.ts"

export interface ExportFacts {
  /** `s3://bucket/prefix`. */
  readonly place: string
  /** What was written last. */
  readonly exported: { readonly hash: string; readonly atMs: number; readonly tookMs: number } | undefined
  /** What the last export came to that wrote nothing: another exporter was quicker, say. */
  readonly notExported: { readonly hash: string; readonly atMs: number; readonly reason: string } | undefined
  /** Why what is to be exported is not, while that is so. */
  readonly problem:
    | {
        readonly reason: string
        readonly trouble: ObjectStoreTrouble | undefined
        readonly sinceMs: number
        readonly attempts: number
      }
    | undefined
  /** An export is under way, and the store has not answered yet. */
  readonly isUnderWay: boolean
  /** Since the start: exports that wrote something, and attempts that failed. */
  readonly exports: number
  readonly failures: number
}

export const nothingExported = (place: string): ExportFacts => ({
  place,
  exported: undefined,
  notExported: undefined,
  problem: undefined,
  isUnderWay: false,
  exports: 0,
  failures: 0
})

const stateOf = ({ exported, notExported, problem, isUnderWay }: ExportFacts) => {
  if (problem !== undefined) return "failing"
  if (isUnderWay) return "exporting"
  return exported === undefined && notExported === undefined ? "idle" : "ok"
}

/** The part `export` of `GET /status`; `undefined` where nothing is exported. */
export const exportView = (facts: ExportFacts | undefined) => {
  if (facts === undefined) return { state: "off" }
  const { place, exported, notExported, problem } = facts
  return {
    state: stateOf(facts),
    place,
    exported_hash: exported?.hash ?? null,
    exported_at: isoOrNull(exported?.atMs),
    not_exported:
      notExported === undefined
        ? null
        : { hash: notExported.hash, at: isoOrNull(notExported.atMs), reason: notExported.reason },
    problem:
      problem === undefined
        ? null
        : { reason: problem.reason, since: isoOrNull(problem.sinceMs), attempts: problem.attempts }
  }
}

export const exportSamples = (facts: ExportFacts | undefined): SamplesOf<typeof exportSeries> =>
  facts === undefined
    ? {}
    : {
        holdfast_config_exports_total: one(facts.exports),
        holdfast_config_export_failures_total: one(facts.failures),
        holdfast_config_export_failing: one(asNumber(facts.problem !== undefined)),
        holdfast_config_exported_timestamp_seconds: seconds(facts.exported?.atMs)
      }
