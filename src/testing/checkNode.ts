/**
 * The property suite for a node of anybody's composition: generated schedules of what may befall a node, each played in a
 * world of its own, in virtual time, with every checker watching. In the end all is healed, and the node must come to serve
 * what was pushed last. A node that breaks a promise makes it fail with the shortest schedule that still does, in words,
 * and a token that replays it.
 *
 * ```ts
 * test("our gateway keeps its promises", () =>
 *   checkNode(() => DataPlane.layer({ settings, parts: { ...virtualParts, router: ours } })))
 * ```
 */
import { Arbitrary, Data, Effect, type Layer } from "effect"
import type { LiveConfig } from "../services/LiveConfig.ts"
import { schedules } from "./arbitraries.ts"
import { allCheckers } from "./checkers/all.ts"
import { type CheckerKind, type Finding, setCheckers } from "./checkers/Checker.ts"
import { makeProbe } from "./checkers/wholeConfig.ts"
import { whyNotConverged } from "./convergence.ts"
import { makeMemoryControlPlane } from "./MemoryControlPlane.ts"
import { heal, play, type Stage, startNode } from "./play.ts"
import { virtually } from "./runVirtual.ts"
import { tableOf } from "./sampleTables.ts"
import { makeTranscript } from "./Transcript.ts"
import { VirtualTime } from "./VirtualTime.ts"
import { makeWorld, type World } from "./World.ts"
import { describeSchedule, type Schedule } from "./WorldAction.ts"

export interface CheckNodeOptions {
  /** How many schedules. Default: 200. */
  readonly cases?: number
  readonly seed?: number
  /** The token of a failure: plays that one again. */
  readonly replay?: string
  /** The promises to hold it to. Default: all. */
  readonly checkers?: ReadonlyArray<CheckerKind>
  /** How long a node may take to serve what was pushed last, once all is healed. Default: 61 s, by Kong's contract. */
  readonly convergeMs?: number
  /** How many actions a schedule has at most. Default: 20. */
  readonly actionsMax?: number
  /** Where the node keeps its cache. Default: `/usr/local/kong/config.json.gz`. */
  readonly cacheFile?: string
}

/** What came of one schedule. */
export interface CaseOutcome {
  readonly findings: ReadonlyArray<Finding>
  /** The newest lines of what happened. */
  readonly transcript: ReadonlyArray<string>
}

/** A node broke its promises. */
export class NodeChecked extends Data.TaggedError("NodeChecked")<{
  readonly schedule: Schedule
  readonly sentences: ReadonlyArray<string>
  readonly replay: string
  readonly message: string
}> {}

/** Silence, one dial, one delay, one push. */
const convergeDefaultMs = 45_000 + 5_000 + 10_000 + 1_000
const casesDefault = 200
const seedDefault = 20_261_126
const actionsDefault = 20
const lookMs = 250
/** No round number: requests come between the other things that happen. */
const askEveryMs = 3_141.59
const lastNumber = 99
const shownLines = 40
/** No schedule is longer than this. */
const limitMs = 7 * 24 * 3_600_000

export type MakeNode<E> = (world: World) => Layer.Layer<LiveConfig, E>

const nodeName = "node"

const playCase = Effect.fnUntraced(function* <E>(makeNode: MakeNode<E>, schedule: Schedule, options: CheckNodeOptions) {
  const time = yield* VirtualTime
  const world = yield* makeWorld({
    seed: options.seed ?? seedDefault,
    transcript: makeTranscript({ keep: shownLines })
  })
  const checkers = setCheckers(world, options.checkers ?? allCheckers)
  const { network, address, pushes } = world
  const controlPlane = makeMemoryControlPlane({ time, network, address, pushes })
  const stage: Stage = {
    node: world.machine(nodeName),
    controlPlane,
    program: makeNode(world) as Layer.Layer<never, unknown>,
    cacheFile: options.cacheFile ?? "/usr/local/kong/config.json.gz"
  }
  controlPlane.push(tableOf(0, 1))
  yield* startNode(stage)
  const probe = makeProbe()
  const ask = Effect.sync(() => {
    const problem = probe(world, nodeName)
    if (problem !== undefined) checkers.report("wholeConfig", nodeName, problem)
  })
  yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(askEveryMs), ask)))
  yield* play(stage, schedule)
  yield* heal(stage)
  controlPlane.push(tableOf(lastNumber, 2))
  const limit = options.convergeMs ?? convergeDefaultMs
  const healedAtMs = time.nowMs()
  while (whyNotConverged(world, nodeName) !== undefined && time.nowMs() - healedAtMs <= limit)
    yield* Effect.sleep(lookMs)
  const why = whyNotConverged(world, nodeName)
  if (why !== undefined)
    checkers.report("convergence", nodeName, `${limit / 1000} s after everything was healed: ${why}`)
  checkers.finish()
  return { findings: checkers.findings(), transcript: world.transcript.latest() } satisfies CaseOutcome
})

/** Plays one schedule, and says what came of it. A node that doesn't start, and virtual time that stops, are findings. */
export const playSchedule = <E>(
  makeNode: MakeNode<E>,
  schedule: Schedule,
  options: CheckNodeOptions = {}
): Effect.Effect<CaseOutcome> =>
  virtually(playCase(makeNode, schedule, options), { seed: options.seed ?? seedDefault, limitMs }).pipe(
    Effect.catchTag("VirtualTimeStopped", ({ message, atMs }) =>
      Effect.succeed({
        findings: [{ checker: "virtualTime", node: nodeName, atMs, sentence: message }],
        transcript: []
      })
    )
  )

const sentencesOf = ({ findings }: CaseOutcome): ReadonlyArray<string> =>
  findings.map(({ checker, atMs, sentence }) => `${(atMs / 1000).toFixed(3)} s: it ${sentence} (${checker})`)

const failure = (schedule: Schedule, outcome: CaseOutcome, replay: string): NodeChecked => {
  const sentences = sentencesOf(outcome)
  const steps = schedule.length === 0 ? ["(nothing befell it)"] : describeSchedule(schedule)
  const message = [
    `a node broke ${sentences.length} of its promises:`,
    ...sentences.map((sentence) => `  ${sentence}`),
    "after this schedule:",
    ...steps.map((line) => `  ${line}`),
    "what happened last:",
    ...outcome.transcript.map((line) => `  ${line}`),
    `replay with checkNode(makeNode, { replay: ${JSON.stringify(replay)} })`
  ].join("\n")
  return new NodeChecked({ schedule, sentences, replay, message })
}

/** As an effect: fails with `NodeChecked`. */
export const checkNodeEffect = <E>(
  makeNode: MakeNode<E>,
  options: CheckNodeOptions = {}
): Effect.Effect<void, NodeChecked> =>
  Effect.gen(function* () {
    const { cases = casesDefault, seed = seedDefault, replay, actionsMax = actionsDefault } = options
    const result = yield* Arbitrary.checkEffect(
      schedules({ maxLength: actionsMax }),
      (schedule) => Effect.map(playSchedule(makeNode, schedule, options), ({ findings }) => findings.length === 0),
      { runs: cases, seed, ...(replay === undefined ? {} : { replay }) }
    )
    if (result._tag === "Passed") return
    if (result._tag !== "Falsified") return yield* Effect.die(new Error(Arbitrary.formatCheckFailure(result)))
    const outcome = yield* playSchedule(makeNode, result.shrunkInput, options)
    return yield* failure(result.shrunkInput, outcome, result.replay)
  })

/** Rejects with `NodeChecked`, whose message tells what broke, after which schedule, and how to play it again. */
export const checkNode = <E>(makeNode: MakeNode<E>, options: CheckNodeOptions = {}): Promise<void> =>
  Effect.runPromise(checkNodeEffect(makeNode, options))
