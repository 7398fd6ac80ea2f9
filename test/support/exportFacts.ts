import type { ExportFacts } from "../../src/services/export/ExportStatus.ts"

/** Of a node that exported something, and can't any more. */
export const exportFacts: ExportFacts = {
  place: "s3://bucket/prefix",
  exported: { hash: "d".repeat(32), atMs: 7_000, tookMs: 20 },
  notExported: undefined,
  problem: { reason: "write latest.json.gz: 403 AccessDenied", trouble: "denied", sinceMs: 9_000, attempts: 3 },
  isUnderWay: true,
  exports: 2,
  failures: 5
}
