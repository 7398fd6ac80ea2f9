/**
 * One simulation, from its options to its verdict: a safety phase, in which fate does what it likes and no promise may break;
 * then everything is healed, and a liveness phase, in which every node must come to run the newest configuration in time.
 */
import { Effect, Fiber, type Scope } from "effect"
import { dialLimitMs, silenceLimitMs } from "../../model/session/limits.ts"
import { allCheckers } from "../../testing/checkers/all.ts"
import { type Checkers, type Finding, setCheckers } from "../../testing/checkers/Checker.ts"
import { makeProbe } from "../../testing/checkers/wholeConfig.ts"
import { whyNotConverged } from "../../testing/convergence.ts"
import type { Transcript } from "../../testing/Transcript.ts"
import type { VirtualTime } from "../../testing/VirtualTime.ts"
import { makeWorld } from "../../testing/World.ts"
import { healAll } from "./afflictions.ts"
import { beginBilling } from "./Billing.ts"
import { bugs } from "./bugs.ts"
import { type Fleet, makeFleet } from "./Fleet.ts"
import { keepChanging, playFate } from "./fate.ts"
import { type Distribution, distributionOf, type Measurements, measure } from "./measurements.ts"
import type { SimulationOptions } from "./options.ts"
import { type Settlement, settleBills } from "./settleBills.ts"

export interface Outcome {
  readonly options: SimulationOptions
  readonly findings: ReadonlyArray<Finding>
  /** Virtual. */
  readonly tookMs: number
  /** From healing to the newest configuration, of each node. */
  readonly healedConverge: Distribution
  /** The same after a restart of the control plane of which every node saw the end. */
  readonly restartConverge: Distribution
  /** Of the nodes with traffic that is counted; `undefined` where telemetry stays local. */
  readonly billing: Settlement | undefined
  readonly befallen: Readonly<Record<string, number>>
  readonly measurements: Measurements
  readonly transcript: Transcript
  readonly pushes: number
}

export interface Progress {
  /** Called once a virtual minute. */
  readonly onMinute: (minute: number, phase: string, dials: number) => void
}

const minuteMs = 60_000
const secondMs = 1_000
/** The nodes of a fleet start within this, as a deployment does it. */
const startSpreadMs = 30_000

const delayMaxMs = 10_000
/** The window in which a control plane gathers changes (`db_update_frequency`) is the longest part of a push. */
const pushMs = 100
/** Messages under way in a healthy network, and the next look at the nodes. */
const slackMs = 1_000
const lookMs = 250

/** Of the second of two changes: a node may be busy with the first. */
export const healedLimitMs = silenceLimitMs + dialLimitMs + delayMaxMs + 2 * pushMs + slackMs
export const closeSeenLimitMs = delayMaxMs + pushMs + slackMs

const startAll = (fleet: Fleet): void => {
  const random = fleet.world.random.stream("start")
  for (const node of fleet.nodes) {
    fleet.world.time.after(random.between(0, startSpreadMs), () => void fleet.world.fork(fleet.startNode(node)))
  }
}

/** Requests at any instant, to any node: each must meet one whole configuration. */
const askNodes = (fleet: Fleet, checkers: Checkers): Effect.Effect<never> => {
  const { world, nodes } = fleet
  const random = world.random.stream("requests")
  const probe = makeProbe()
  const ask = Effect.sync(() => {
    const { name } = random.pick(nodes)
    const problem = probe(world, name)
    if (problem !== undefined) checkers.report("wholeConfig", name, problem)
  })
  const pause = Effect.suspend(() => Effect.sleep(random.exponential(secondMs)))
  return Effect.forever(Effect.andThen(pause, ask))
}

/** What this phase found is told by its checkers; a canary that has sung ends it early. */
const safetyPhase = Effect.fnUntraced(function* (
  fleet: Fleet,
  checkers: Checkers,
  options: SimulationOptions,
  isEnough: () => boolean,
  count: (fault: string) => void,
  onMinute: (minute: number) => void
) {
  const fate = yield* Effect.forkChild(
    Effect.raceAllFirst([
      playFate(fleet, options.fate, count),
      keepChanging(fleet, options.fate, count),
      askNodes(fleet, checkers)
    ])
  )
  for (let minute = 0; minute < options.minutes && !isEnough(); minute++) {
    onMinute(minute)
    yield* Effect.sleep(minuteMs)
  }
  yield* Fiber.interrupt(fate)
})

/** Waits until every node has converged, or until the limit; whoever has not says why. */
const awaitConvergence = Effect.fnUntraced(function* (
  fleet: Fleet,
  limitMs: number,
  report: (why: string, node: string) => void
) {
  const { world, nodes } = fleet
  const beganAtMs = world.time.nowMs()
  const tookMs = new Map<string, number>()
  const whyNot = (name: string) =>
    fleet.hasPushedNewest() ? whyNotConverged(world, name) : "the control plane has not pushed the newest configuration"
  let missing = nodes
  while (missing.length > 0 && world.time.nowMs() - beganAtMs < limitMs) {
    yield* Effect.sleep(lookMs)
    missing = missing.filter(({ name }) => {
      if (whyNot(name) !== undefined) return true
      tookMs.set(name, world.time.nowMs() - beganAtMs)
      return false
    })
  }
  for (const { name } of missing) report(whyNot(name) ?? "", name)
  return distributionOf([...tookMs.values()])
})

const reportLate = (checkers: Checkers, limitMs: number, since: string) => (why: string, node: string) =>
  checkers.report("convergence", node, `${Math.round(limitMs / secondMs)} s after ${since}: ${why}`)

const livenessPhase = Effect.fnUntraced(function* (fleet: Fleet, checkers: Checkers) {
  const { world, controlPlane } = fleet
  world.transcript.line(world.time.nowMs(), "world", "healed")
  yield* healAll(fleet)
  yield* fleet.change()
  // Soon after the first, while nodes may still be busy with it: the newest counts.
  yield* Effect.sleep(secondMs)
  yield* fleet.change()
  const healedConverge = yield* awaitConvergence(
    fleet,
    healedLimitMs,
    reportLate(checkers, healedLimitMs, "everything was healed")
  )
  world.transcript.line(world.time.nowMs(), "world", "control plane restarts", { p99: healedConverge.p99 })
  controlPlane.kill("killed")
  yield* fleet.change()
  yield* Effect.sleep(secondMs)
  yield* fleet.startControlPlane
  const restartConverge = yield* awaitConvergence(
    fleet,
    closeSeenLimitMs,
    reportLate(checkers, closeSeenLimitMs, "the control plane was back, of which every node had seen the end")
  )
  return { healedConverge, restartConverge }
})

const settingsOf = ({ fate }: SimulationOptions) => ({ konnect_mode: fate.konnectMode ? "on" : "off" })

/** Runs in virtual time, seeded as the options say. */
export const simulate = (
  options: SimulationOptions,
  transcript: Transcript,
  { onMinute }: Progress
): Effect.Effect<Outcome, never, VirtualTime | Scope.Scope> =>
  Effect.gen(function* () {
    const world = yield* makeWorld({ seed: options.seed, transcript, compressionMs: options.fate.compressionMs })
    const bug = options.bug === undefined ? undefined : bugs[options.bug]
    const checkers = setCheckers(world, allCheckers)
    const measurements = measure(world)
    const befallen: Record<string, number> = {}
    const { delayMs, jitterMs, lossRate } = options.fate
    world.network.changeAll({ delayMs, jitterMs, lossRate })
    const fleet = yield* makeFleet({
      world,
      nodes: options.nodes,
      settings: settingsOf(options),
      parts: bug?.parts ?? {},
      onStartFailure: ({ name }, message) => checkers.report("starts", name, `did not start: ${message}`)
    })
    const dials = () => measurements.totals().Dialled ?? 0
    const isCaught = () =>
      checkers.findings().some(({ checker }) => bug?.caughtBy.some((name) => name === checker) === true)

    yield* fleet.startControlPlane
    startAll(fleet)
    const billing = beginBilling(world, fleet.nodes)
    yield* safetyPhase(
      fleet,
      checkers,
      options,
      isCaught,
      (fault) => {
        befallen[fault] = (befallen[fault] ?? 0) + 1
      },
      (minute) => onMinute(minute, "safety", dials())
    )
    onMinute(options.minutes, "liveness", dials())
    const { healedConverge, restartConverge } = yield* livenessPhase(fleet, checkers)
    // Konnect's format is not public: with its mode on, what is counted stays on the node.
    const settlement = options.fate.konnectMode
      ? undefined
      : yield* settleBills(fleet, billing, (node, sentence) => checkers.report("billing", node, sentence))
    billing.end()
    checkers.finish()
    return {
      options,
      findings: checkers.findings(),
      tookMs: world.time.nowMs(),
      healedConverge,
      restartConverge,
      billing: settlement,
      befallen,
      measurements,
      transcript,
      pushes: world.pushes.all().length
    }
  })
