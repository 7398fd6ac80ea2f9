/**
 * `holdfast quickstart`: both planes and a sample upstream as processes of this machine, to be played with; with
 * `--once` it plays the outage itself, checks every step, and ends.
 */
import { resolve } from "node:path"
import { Effect } from "effect"
import type { RunCommand } from "./Command.ts"
import { clearDirectory, holdDirectory } from "./quickstart/Directory.ts"
import { screen } from "./quickstart/Screen.ts"
import { load, type Step, start, wholeStory } from "./quickstart/Story.ts"
import { describeMovedPorts, usualPorts } from "./stage/Ports.ts"
import type { StepFailed } from "./stage/Probe.ts"
import { raiseStage, type Stage } from "./stage/Stage.ts"

const say = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

/** A line when a step is done; the failure itself says what went wrong. */
const play = (stage: Stage, steps: ReadonlyArray<Step>): Effect.Effect<void, StepFailed> =>
  Effect.forEach(
    steps,
    (step) =>
      step.play(stage).pipe(
        Effect.tapError(({ reason }) => say(`failed  ${step.title}\n        ${reason.replaceAll("\n", "\n        ")}`)),
        Effect.flatMap((outcome) => say(`ok      ${step.title}\n        ${outcome}`))
      ),
    { discard: true }
  )

const playUntilSignal = (stage: Stage): Effect.Effect<number, StepFailed> =>
  play(stage, [start, load]).pipe(
    Effect.andThen(Effect.suspend(() => say(screen(stage)))),
    Effect.andThen(Effect.never)
  )

const playOnce = (stage: Stage): Effect.Effect<number, StepFailed> =>
  play(stage, wholeStory).pipe(Effect.andThen(say("The whole story went as it should.")), Effect.as(0))

export const runQuickstart: RunCommand = ({ flags }) =>
  Effect.gen(function* () {
    const directory = typeof flags.dir === "string" ? flags.dir : ".holdfast"
    yield* holdDirectory(directory)
    const ports = yield* usualPorts
    yield* clearDirectory(directory)
    const stage = yield* raiseStage({ directory: resolve(directory), ports })
    for (const line of describeMovedPorts(stage.ports)) yield* say(line)
    return yield* (flags.once === true ? playOnce(stage) : playUntilSignal(stage)).pipe(
      Effect.catchTag("StepFailed", () => Effect.as(say(`Logs: ${stage.directory}/*.log`), 1))
    )
  }).pipe(Effect.scoped)
