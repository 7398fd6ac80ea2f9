/** Plays the steps in order, tells each as it ends, and stops at the first that breaks a promise or can't be played. */
import { Duration, Effect } from "effect"
import { StepFailed } from "../stage/Probe.ts"
import type { DrillStep } from "./Drill.ts"
import type { Ground } from "./Ground.ts"
import type { NotPlayable } from "./NotPlayable.ts"
import { type StepReport, seconds } from "./Report.ts"

type Say = (line: string) => Effect.Effect<void>

/** Whatever else a step shows, no request may fail while it does: where some must, the step pauses the traffic. */
const withoutLoss = (step: DrillStep, ground: Ground): Effect.Effect<string, StepFailed | NotPlayable> =>
  Effect.gen(function* () {
    const before = ground.load.counts()
    const words = yield* step.play(ground)
    const failed = ground.load.counts().failed - before.failed
    if (failed === 0) return words
    const [worst] = ground.load.failures().toSorted((a, b) => b.lastAtMs - a.lastAtMs)
    return yield* new StepFailed({
      reason: `${failed} requests failed, the last after ${seconds(worst?.lastAtMs ?? 0)}: ${worst?.reason ?? ""}`
    })
  })

const outcomes = { StepFailed: "failed", NotPlayable: "could not be played" } as const

const playOne = Effect.fnUntraced(function* (step: DrillStep, ground: Ground) {
  const before = ground.load.counts()
  const [duration, outcome] = yield* Effect.timed(Effect.result(withoutLoss(step, ground)))
  const after = ground.load.counts()
  return {
    title: step.title,
    ...(outcome._tag === "Success"
      ? { outcome: "passed", words: outcome.success }
      : { outcome: outcomes[outcome.failure._tag], words: outcome.failure.reason }),
    tookMs: Math.round(Duration.toMillis(duration)),
    sent: after.sent - before.sent,
    failed: after.failed - before.failed
  } satisfies StepReport
})

const marks = { passed: "ok", failed: "failed", "could not be played": "?", "not played": "" } as const

const line = ({ title, outcome, words, sent, failed }: StepReport): string =>
  `${marks[outcome].padEnd(6)}  ${title}\n        ${words.replaceAll("\n", "\n        ")}${sent > 0 ? `\n        ${sent} requests, ${failed} failed` : ""}`

const notPlayed = ({ title }: DrillStep): StepReport => ({
  title,
  outcome: "not played",
  words: "",
  tookMs: 0,
  sent: 0,
  failed: 0
})

export const playSteps = Effect.fnUntraced(function* (steps: ReadonlyArray<DrillStep>, ground: Ground, say: Say) {
  const played: Array<StepReport> = []
  for (const step of steps) {
    if ((played.at(-1)?.outcome ?? "passed") !== "passed") break
    const report = yield* playOne(step, ground)
    played.push(report)
    yield* say(line(report))
  }
  yield* ground.load.pause
  return [...played, ...steps.slice(played.length).map(notPlayed)] as ReadonlyArray<StepReport>
})
