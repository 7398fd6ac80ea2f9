/** What came of a simulation, for people and for programs. Pure. */

import { bugs } from "./bugs.ts"
import { barChart, histogram } from "./chart.ts"
import { type Distribution, distributionOf } from "./measurements.ts"
import { describeOptions } from "./options.ts"
import type { Outcome } from "./simulation.ts"

/** What the machine that ran it had to do for it. */
export interface Effort {
  readonly wallMs: number
  readonly peakBytes: number
  /** What the process may have of the machine's memory; a larger fleet ends it. */
  readonly limitBytes: number
}

export interface Judged {
  readonly outcome: Outcome
  readonly effort: Effort
  /** Without a canary: no promise was broken. With one: it was caught. */
  readonly passed: boolean
  readonly verdict: string
}

const shownFindings = 10

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** In a sentence. */
export const judge = (outcome: Outcome, effort: Effort): Judged => {
  const { findings, options } = outcome
  const bug = options.bug === undefined ? undefined : bugs[options.bug]
  if (bug === undefined) {
    const passed = findings.length === 0
    const verdict = passed
      ? "every promise held, and every node came to run the newest configuration in time"
      : `${findings.length} promises were broken`
    return { outcome, effort, passed, verdict: `${passed ? "passed" : "FAILED"}: ${verdict}` }
  }
  const catching = findings.find(({ checker }) => bug.caughtBy.some((name) => name === checker))
  const verdict =
    catching === undefined
      ? `FAILED: the canary ${options.bug} (${bug.summary}) was not caught`
      : `passed: the canary ${options.bug} (${bug.summary}) was caught by ${catching.checker} after ${seconds(catching.atMs)}`
  return { outcome, effort, passed: catching !== undefined, verdict }
}

const nodeHours = ({ options, tookMs }: Outcome): number => (options.nodes * tookMs) / 3_600_000

const nodeHoursPerMinute = ({ outcome, effort }: Judged): number =>
  Math.round(nodeHours(outcome) / (effort.wallMs / 60_000))

const shownTimes = ({ count, p50, p90, p99, max }: Distribution): string =>
  count === 0 ? "none" : `${seconds(p50)} median, ${seconds(p90)} p90, ${seconds(p99)} p99, ${seconds(max)} largest`

const shownCounts = ({ p50, p90, p99, max }: Distribution): string =>
  `${p50} median, ${p90} p90, ${p99} p99, ${max} most`

const peak = (values: ReadonlyArray<number>): number => values.reduce((most, value) => Math.max(most, value), 0)

interface Fact {
  readonly name: string
  readonly value: string
}

/** Fleets are limited by memory, not by time: a node takes the same however many there are. Rounded down. */
const nodesLimit = ({ outcome: { options }, effort: { peakBytes, limitBytes } }: Judged): number =>
  Math.max(options.nodes, Math.floor((options.nodes * limitBytes) / peakBytes / 100) * 100)

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

const factsOf = (judged: Judged): ReadonlyArray<Fact> => {
  const { outcome, effort } = judged
  const { measurements, befallen, transcript } = outcome
  const totals = measurements.totals()
  const troubles = Object.values(befallen).reduce((sum, count) => sum + count, 0)
  return [
    { name: "troubles", value: `${troubles} of ${Object.keys(befallen).length} kinds` },
    { name: "dials", value: `${totals.Dialled ?? 0}, at most ${peak(measurements.dialsPerSecond())} a second` },
    {
      name: "sessions",
      value: `${totals.Opened ?? 0}, at most ${peak(measurements.sessionsPerSecond())} opened in a second`
    },
    { name: "pings", value: String(totals.Announced ?? 0) },
    { name: "pushes", value: String(outcome.pushes) },
    { name: "applied by each node", value: shownCounts(distributionOf(measurements.appliedByNode())) },
    { name: "from push to serving", value: shownTimes(distributionOf(measurements.convergeMs())) },
    { name: "healed to newest", value: shownTimes(outcome.healedConverge) },
    { name: "restart to newest", value: shownTimes(outcome.restartConverge) },
    ...(outcome.billing === undefined
      ? []
      : [{ name: "API calls", value: `${outcome.billing.served} served, ${outcome.billing.billed} billed` }]),
    { name: "transcript", value: `${transcript.count()} lines, SHA-256 ${transcript.digest()}` },
    {
      name: "effort",
      value: `${seconds(effort.wallMs)}, ${nodeHoursPerMinute(judged)} node-hours a minute, ${megabytes(effort.peakBytes)} at most`
    },
    {
      name: "limit",
      value: `${megabytes(effort.limitBytes)} of memory, room for ${nodesLimit(judged)} such nodes at least`
    }
  ]
}

const findingLines = ({ outcome: { findings } }: Judged): ReadonlyArray<string> => [
  ...findings
    .slice(0, shownFindings)
    .map(({ checker, node, atMs, sentence }) => `  ${seconds(atMs)} ${node} ${sentence} (${checker})`),
  ...(findings.length > shownFindings ? [`  and ${findings.length - shownFindings} more`] : [])
]

/** For the terminal. */
export const summary = (judged: Judged): ReadonlyArray<string> => {
  const facts = factsOf(judged)
  const column = Math.max(...facts.map(({ name }) => name.length))
  return [
    ...facts.map(({ name, value }) => `  ${name.padEnd(column)}  ${value}`),
    judged.verdict,
    ...findingLines(judged)
  ]
}

/** One line, for runs of many seeds. */
export const oneLine = (judged: Judged): string =>
  `seed ${judged.outcome.options.seed}: ${judged.verdict} (transcript ${judged.outcome.transcript.digest().slice(0, 16)})`

const table = (facts: ReadonlyArray<Fact>): ReadonlyArray<string> => [
  "| what | measured |",
  "|---|---|",
  ...facts.map(({ name, value }) => `| ${name} | ${value} |`)
]

/** What is not as in production, said in every report. */
const borrowed = [
  "Both planes are the production code, composed by `ControlPlane` and `DataPlane`. Replaced are:",
  "",
  "- time, randomness, network and disk, by virtual ones (`src/testing`), and with the network the WebSocket dialer and listener;",
  "- listeners for traffic, admin and status: none of them opens, and what a request would see is asked of the compiled configuration;",
  "- the store's file: SQLite keeps its tables in memory, through crashes of the control plane;",
  "- work on the same bytes, which is done once for all nodes: inflating, decoding, validating and compiling a configuration, and compressing what nodes cache."
]

export const reportMarkdown = (judged: Judged): string => {
  const { outcome } = judged
  const troubles = Object.entries(outcome.befallen).sort(([a], [b]) => a.localeCompare(b))
  return [
    `# Simulation: seed ${outcome.options.seed}`,
    "",
    judged.verdict,
    "",
    "```",
    ...describeOptions(outcome.options),
    "```",
    "",
    ...(outcome.findings.length === 0 ? [] : ["## Promises broken", "", "```", ...findingLines(judged), "```", ""]),
    "## Measured",
    "",
    ...table(factsOf(judged)),
    "",
    "![Sessions opened in each second](reconnects.svg)",
    "",
    "![From push to serving](converge.svg)",
    "",
    "## What befell the fleet",
    "",
    "| trouble | times |",
    "|---|---|",
    ...troubles.map(([name, count]) => `| ${name} | ${count} |`),
    "",
    "## What is simulated",
    "",
    ...borrowed,
    ""
  ].join("\n")
}

export const reportJson = (judged: Judged): string => {
  const { outcome, effort, passed, verdict } = judged
  const { measurements, transcript, options } = outcome
  return `${JSON.stringify(
    {
      passed,
      verdict,
      options,
      findings: outcome.findings,
      befallen: outcome.befallen,
      virtualMs: outcome.tookMs,
      pushes: outcome.pushes,
      totals: measurements.totals(),
      appliedByNode: distributionOf(measurements.appliedByNode()),
      pushToServingMs: distributionOf(measurements.convergeMs()),
      healedToNewestMs: outcome.healedConverge,
      restartToNewestMs: outcome.restartConverge,
      sessionsPerSecond: measurements.sessionsPerSecond(),
      transcript: { lines: transcript.count(), sha256: transcript.digest() },
      effort: { ...effort, nodeHoursPerMinute: nodeHoursPerMinute(judged), nodesLimit: nodesLimit(judged) }
    },
    null,
    2
  )}\n`
}

export const reconnectsSvg = ({ outcome }: Judged): string =>
  barChart({
    title: `sessions opened in each second, ${outcome.options.nodes} nodes, seed ${outcome.options.seed}`,
    values: outcome.measurements.sessionsPerSecond(),
    until: Math.max(1, outcome.tookMs / 60_000),
    unit: "min"
  })

export const convergeSvg = ({ outcome }: Judged): string =>
  histogram(
    "seconds from push to serving, number of nodes",
    outcome.measurements.convergeMs().map((ms) => ms / 1000),
    "s"
  )
