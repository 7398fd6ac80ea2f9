/** What came of a drill, as values, and the two forms in which they are written down. Pure. */
import type { Skipped } from "./deriveRequests.ts"
import type { FailureGroup } from "./Load.ts"

/** A drill that could not be played to its end says nothing about its promise. */
export type Verdict = "passed" | "failed" | "could not be played"

export interface StepReport {
  readonly title: string
  readonly outcome: Verdict | "not played"
  /** What was seen, what was not as promised, or what was in the way. */
  readonly words: string
  readonly tookMs: number
  /** Requests that were sent and that failed meanwhile. */
  readonly sent: number
  readonly failed: number
}

export interface Recovery {
  readonly what: string
  readonly tookMs: number
  readonly limitMs: number
}

export interface DrillReport {
  readonly drill: string
  readonly promise: string
  readonly version: string
  readonly startedAt: string
  readonly tookMs: number
  readonly passed: boolean
  readonly verdict: Verdict
  /** What of the node was not as in production; empty when nothing was. */
  readonly injected: ReadonlyArray<string>
  readonly configuration: {
    readonly name: string
    readonly routes: number
    readonly requests: number
    readonly changes: ReadonlyArray<string>
    readonly skipped: ReadonlyArray<Skipped>
  }
  readonly steps: ReadonlyArray<StepReport>
  readonly recoveries: ReadonlyArray<Recovery>
  readonly traffic: {
    readonly requestsPerSecond: number
    readonly sent: number
    readonly failed: number
    readonly failures: ReadonlyArray<FailureGroup>
  }
}

/** A request that failed breaks the promise, wherever the script came to. */
export const verdictOf = (steps: ReadonlyArray<StepReport>, failedRequests: number): Verdict => {
  if (failedRequests > 0 || steps.some(({ outcome }) => outcome === "failed")) return "failed"
  return steps.every(({ outcome }) => outcome === "passed") ? "passed" : "could not be played"
}

export const reportJson = (report: DrillReport): string => `${JSON.stringify(report, null, 2)}\n`

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ")

const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>
): ReadonlyArray<string> =>
  rows.length === 0
    ? []
    : [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map((value) => cell(String(value))).join(" | ")} |`)

const section = (title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", `## ${title}`, "", ...lines]

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`

const marks = { passed: "✓", failed: "✗", "could not be played": "?", "not played": "–" } as const

const openings = {
  passed: "**Passed.** Every promise was kept.",
  failed: "**Failed.**",
  "could not be played": "**Could not be played.**"
} as const

const opening = ({ verdict, steps, traffic }: DrillReport): string => {
  if (verdict === "passed") return openings.passed
  const last = steps.find(({ outcome }) => outcome === verdict)
  const first = last === undefined ? `${traffic.failed} requests failed` : `${last.title}: ${last.words}`
  return `${openings[verdict]} ${first}`
}

export const reportMarkdown = (report: DrillReport): string => {
  const { drill, promise, version, startedAt, tookMs, injected, configuration, steps, recoveries, traffic } = report
  return [
    `# Drill: ${drill}`,
    "",
    promise,
    "",
    opening(report),
    "",
    `${startedAt}, ${seconds(tookMs)}, Holdfast ${version}.`,
    ...section(
      "Steps",
      table(
        ["", "step", "what was seen", "took", "requests", "failed"],
        steps.map(({ outcome, title, words, tookMs: took, sent, failed }) => [
          marks[outcome],
          title,
          outcome === "not played" ? "not played" : words,
          outcome === "not played" ? "" : seconds(took),
          sent,
          failed
        ])
      )
    ),
    ...section(
      "Recovery",
      table(
        ["what", "took", "promised within"],
        recoveries.map(({ what, tookMs: took, limitMs }) => [what, seconds(took), seconds(limitMs)])
      )
    ),
    ...section("Traffic", [
      `${traffic.sent} requests, ${traffic.failed} failed; ${traffic.requestsPerSecond} a second while traffic flowed.`,
      ...(traffic.failures.length === 0 ? [] : [""]),
      ...table(
        ["reason", "requests", "first", "last"],
        traffic.failures.map(({ reason, count, firstAtMs, lastAtMs }) => [
          reason,
          count,
          `after ${seconds(firstAtMs)}`,
          `after ${seconds(lastAtMs)}`
        ])
      )
    ]),
    ...section("Configuration", [
      `${configuration.name}: ${configuration.routes} routes, asked by ${configuration.requests} different requests.`,
      "",
      ...configuration.changes.map((change) => `- Made safe: ${change}`),
      ...configuration.skipped.map(({ what, reason }) => `- Not asked: ${what}: ${reason}`)
    ]),
    ...section(
      "What was not as in production",
      injected.length === 0
        ? ["Nothing: the processes, sockets and files were those of any node."]
        : injected.map((line) => `- ${line}`)
    ),
    ""
  ].join("\n")
}
