/**
 * `holdfast drill NAME`: a scripted outage of real processes, sockets and files while traffic flows. A line for each
 * step, a report at the end, and an exit code for CI.
 */
import { tmpdir } from "node:os"
import { Clock, DateTime, Duration, Effect } from "effect"
import { version } from "../model/version.ts"
import { StartError } from "../services/StartError.ts"
import type { RunCommand } from "./Command.ts"
import type { Drill } from "./drill/Drill.ts"
import { drills } from "./drill/drills.ts"
import { type Ground, makeGround } from "./drill/Ground.ts"
import { requestsPerSecond } from "./drill/Load.ts"
import { playSteps } from "./drill/playSteps.ts"
import { type DrillReport, seconds, type Verdict, verdictOf } from "./drill/Report.ts"
import { type ReportFiles, reportFilesIn } from "./drill/reportFiles.ts"
import { sweep, workingFolder } from "./drill/WorkingFolder.ts"

const say = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

const findDrill = (name: string): Effect.Effect<Drill, StartError> => {
  const found = drills.find((drill) => drill.name === name)
  if (found !== undefined) return Effect.succeed(found)
  const message = `expected one of ${drills.map((drill) => drill.name).join(", ")}`
  return Effect.fail(new StartError({ faults: [{ path: ["DRILL"], message, value: name }], exitCode: 2 }))
}

const introduce = Effect.fnUntraced(function* (drill: Drill, { config }: Ground) {
  yield* say(`drill ${drill.name}\n  ${drill.promise}`)
  yield* say(`  configuration: ${config.name}, ${config.routeCount} routes`)
  for (const change of config.changes) yield* say(`  made safe: ${change}`)
  for (const { what, reason } of config.skipped) yield* say(`  not asked: ${what}: ${reason}`)
  for (const line of drill.steered?.injected ?? []) yield* say(`  injected: ${line}`)
})

const endings = {
  passed: { words: "passed: every promise was kept", exitCode: 0 },
  failed: { words: "failed: a promise was broken", exitCode: 1 },
  "could not be played": {
    words: "could not be played to its end: nothing is known about the promise",
    exitCode: 3
  }
} as const satisfies Record<Verdict, { readonly words: string; readonly exitCode: number }>

/** What the machine refuses to a drill breaks no promise. */
const refusedByMachine = ({ message }: StartError): Effect.Effect<number> => {
  const { words, exitCode } = endings["could not be played"]
  return Effect.as(say(`${message}\n${words}`), exitCode)
}

const conclude = Effect.fnUntraced(function* (report: DrillReport) {
  const { traffic, recoveries } = report
  yield* say(`${traffic.sent} requests, ${traffic.failed} failed`)
  for (const { reason, count, firstAtMs } of traffic.failures) {
    yield* say(`  ${count} times, first after ${seconds(firstAtMs)}: ${reason}`)
  }
  for (const { what, tookMs, limitMs } of recoveries) {
    yield* say(`${what}: ${seconds(tookMs)}, promised within ${seconds(limitMs)}`)
  }
})

/** A report that could be written when the drill began may fail all the same: the verdict is told first, and stands. */
const writeReport = Effect.fnUntraced(function* (report: DrillReport, files: ReportFiles) {
  const written = yield* Effect.result(files.write(report))
  if (written._tag === "Success") for (const file of written.success) yield* say(`report: ${file}`)
  else if (report.verdict === "passed") return yield* written.failure
  else yield* say(written.failure.message)
})

export const runDrill: RunCommand = ({ flags, operands }) =>
  Effect.gen(function* () {
    const drill = yield* findDrill(operands[0] ?? "")
    const files = typeof flags.report === "string" ? yield* reportFilesIn(flags.report, drill.name) : undefined
    for (const path of yield* sweep(tmpdir())) yield* say(`swept: ${path}, left behind by a drill that was killed`)
    const working = yield* workingFolder(tmpdir())
    const ground = yield* makeGround({
      directory: working.path,
      file: typeof flags.config === "string" ? flags.config : undefined,
      isSigned: drill.isSigned === true,
      isSteered: drill.steered !== undefined,
      startedMs: yield* Clock.currentTimeMillis,
      skipsUnanswered: flags["skip-unanswered"] === true,
      say
    })
    yield* introduce(drill, ground)
    const startedAt = DateTime.formatIso(yield* DateTime.now)
    const [duration, played] = yield* Effect.timed(playSteps(drill.steps, ground, say))
    const { sent, failed } = ground.load.counts()
    const verdict = verdictOf(played, failed)
    const report: DrillReport = {
      drill: drill.name,
      promise: drill.promise,
      version,
      startedAt,
      tookMs: Math.round(Duration.toMillis(duration)),
      passed: verdict === "passed",
      verdict,
      injected: drill.steered?.injected ?? [],
      configuration: {
        name: ground.config.name,
        routes: ground.config.routeCount,
        requests: ground.requests().length,
        changes: ground.config.changes,
        skipped: ground.skipped()
      },
      steps: played,
      recoveries: ground.recoveries(),
      traffic: { requestsPerSecond, sent, failed, failures: ground.load.failures() }
    }
    working.isKept = !report.passed
    yield* conclude(report)
    yield* say(endings[verdict].words)
    if (files !== undefined) yield* writeReport(report, files)
    if (working.isKept) yield* say(`logs: ${working.path}/*.log`)
    return endings[verdict].exitCode
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => (error.exitCode === 1 ? refusedByMachine(error) : Effect.fail(error)))
  )
