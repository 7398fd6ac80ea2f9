/**
 * `holdfast simulate`: a fleet of production planes in this one process, in virtual time, under faults drawn from a seed.
 * Seed and options first, then the run, then a verdict in a sentence; the same seed gives the same transcript.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { getHeapStatistics } from "node:v8"
import { Effect } from "effect"
import { messageOf } from "../model/thrown.ts"
import { StartError } from "../services/StartError.ts"
import { virtually } from "../testing/runVirtual.ts"
import { makeTranscript, type Transcript } from "../testing/Transcript.ts"
import type { RunCommand } from "./Command.ts"
import { type Asked, readFlags } from "./simulate/flags.ts"
import { describeOptions, type SimulationOptions } from "./simulate/options.ts"
import { makeProgressBar } from "./simulate/ProgressBar.ts"
import {
  convergeSvg,
  type Judged,
  judge,
  oneLine,
  reconnectsSvg,
  reportJson,
  reportMarkdown,
  summary
} from "./simulate/report.ts"
import { simulate } from "./simulate/simulation.ts"

const say = (lines: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const line of lines) process.stdout.write(`${line}\n`)
  })

const unwritable = (flag: string, path: string) => (cause: unknown) =>
  new StartError({
    faults: [{ path: [flag], message: `expected a place that can be written (${messageOf(cause)})`, value: path }],
    exitCode: 2
  })

/** Before anything runs: what can't be written afterwards is no use. */
const prepare = ({ report, transcript }: Asked) =>
  Effect.gen(function* () {
    if (report !== undefined)
      yield* Effect.try({ try: () => mkdirSync(report, { recursive: true }), catch: unwritable("--report", report) })
    if (transcript !== undefined)
      yield* Effect.try({ try: () => writeFileSync(transcript, ""), catch: unwritable("--transcript", transcript) })
  })

const writeReport = (folder: string, judged: Judged) =>
  Effect.try({
    try: () => {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, "report.md"), reportMarkdown(judged))
      writeFileSync(join(folder, "report.json"), reportJson(judged))
      writeFileSync(join(folder, "reconnects.svg"), reconnectsSvg(judged))
      writeFileSync(join(folder, "converge.svg"), convergeSvg(judged))
    },
    catch: unwritable("--report", folder)
  })

const transcriptOf = ({ transcript }: Asked): Transcript =>
  makeTranscript(transcript === undefined ? {} : { sink: (text) => appendFileSync(transcript, text) })

/** Thousands of failures are made and met in a run, and nobody reads where; looking that up would cost as much as the rest of them. */
const withoutStackTraces = Effect.acquireRelease(
  Effect.sync(() => {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    return stackTraceLimit
  }),
  (stackTraceLimit) =>
    Effect.sync(() => {
      Error.stackTraceLimit = stackTraceLimit
    })
)

const run = Effect.fnUntraced(function* (options: SimulationOptions, asked: Asked) {
  yield* withoutStackTraces
  const bar = makeProgressBar(options, process.stderr, asked.isQuiet)
  const startedMs = performance.now()
  const onMinute = (minute: number, phase: string, dials: number) => bar.show(minute, phase, dials)
  const outcome = yield* virtually(simulate(options, transcriptOf(asked), { onMinute }), { seed: options.seed }).pipe(
    Effect.ensuring(Effect.sync(bar.clear))
  )
  outcome.transcript.flush()
  const peakBytes = process.resourceUsage().maxRSS * 1024
  const { heap_size_limit: limitBytes } = getHeapStatistics()
  return judge(outcome, { wallMs: performance.now() - startedMs, peakBytes, limitBytes })
}, Effect.scoped)

const runOne = Effect.fnUntraced(function* (options: SimulationOptions, asked: Asked) {
  const isAlone = asked.runs.length === 1
  if (isAlone && !asked.isQuiet) yield* say(describeOptions(options))
  const judged = yield* run(options, asked)
  if (asked.report !== undefined)
    yield* writeReport(isAlone ? asked.report : join(asked.report, `seed-${options.seed}`), judged)
  if (isAlone && !asked.isQuiet) yield* say(summary(judged))
  else yield* say([oneLine(judged), ...(judged.passed || isAlone ? [] : summary(judged))])
  return judged.passed
})

export const runSimulate: RunCommand = (input) =>
  Effect.gen(function* () {
    const asked = yield* readFlags(input)
    yield* prepare(asked)
    const passed: Array<boolean> = []
    for (const options of asked.runs) {
      passed.push(
        yield* runOne(options, asked).pipe(
          Effect.catchTag("VirtualTimeStopped", ({ message }) =>
            Effect.as(say([`seed ${options.seed}: FAILED: ${message}`]), false)
          )
        )
      )
    }
    const failed = passed.filter((isPassed) => !isPassed).length
    if (passed.length > 1) yield* say([`${passed.length - failed} of ${passed.length} seeds passed`])
    return failed === 0 ? 0 : 1
  })
