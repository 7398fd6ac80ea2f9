/** What a simulation is told, and what it draws from its seed beyond that. All of it is printed before the run begins. */
import { makeRandom, type Seed, type SeededRandom } from "../../testing/SeededRandom.ts"
import type { BugName } from "./bugs.ts"

/** What may befall one node, and how many minutes pass between two such events on one node, on average. */
export const nodeFaults = [
  "partition",
  "halfOpen",
  "reset",
  "truncation",
  "slowLink",
  "kill",
  "powerCut",
  "suspend",
  "clockJump",
  "slowDisk",
  "fullDisk",
  "failingDisk",
  "stuckDisk",
  "corruptCache"
] as const
export type NodeFault = (typeof nodeFaults)[number]

/** What may befall the control plane, and with it everybody. */
export const fleetFaults = ["crash", "powerLoss", "wedge", "refusal", "outage"] as const
export type FleetFault = (typeof fleetFaults)[number]

export interface Fate {
  /** One way, of every link in fair weather. */
  readonly delayMs: number
  readonly jitterMs: number
  readonly lossRate: number
  /** What compressing and inflating take, during which more may happen. */
  readonly compressionMs: number
  /** Mean minutes between two such events on one node; what is missing never happens. */
  readonly everyMinutes: Readonly<Partial<Record<NodeFault, number>>>
  /** The same for the control plane. */
  readonly controlPlaneEveryMinutes: Readonly<Partial<Record<FleetFault, number>>>
  /** How many of the changes of the configuration are first pushed with a flaw, from 0 to 1. */
  readonly flawedChanges: number
  /** Nodes report refusals. */
  readonly konnectMode: boolean
}

export interface SimulationOptions {
  readonly nodes: number
  readonly minutes: number
  readonly seed: Seed
  readonly bug: BugName | undefined
  readonly fate: Fate
}

/** Each kind of fault is left out of some runs: what one kind hides, a run without it shows. */
const faultChance = 0.8
const nodeMinutesMin = 40
const nodeMinutesMax = 600
const controlPlaneMinutesMin = 20
const controlPlaneMinutesMax = 90

const drawEvery = <F extends string>(random: SeededRandom, faults: ReadonlyArray<F>, min: number, max: number) =>
  Object.fromEntries(
    faults.flatMap((fault) => {
      const isOn = random.chance(faultChance)
      const minutes = Math.round(min * (max / min) ** random.next())
      return isOn ? [[fault, minutes] as const] : []
    })
  ) as Partial<Record<F, number>>

export const drawFate = (seed: Seed): Fate => {
  const random = makeRandom(seed).stream("options")
  const delayMs = Math.round(random.between(1, 60))
  return {
    delayMs,
    jitterMs: Math.round(random.between(0, delayMs)),
    lossRate: random.chance(0.5) ? 0 : Math.round(random.between(0, 50)) / 1000,
    everyMinutes: drawEvery(random, nodeFaults, nodeMinutesMin, nodeMinutesMax),
    controlPlaneEveryMinutes: drawEvery(random, fleetFaults, controlPlaneMinutesMin, controlPlaneMinutesMax),
    flawedChanges: Math.round(random.between(0, 50)) / 100,
    konnectMode: random.chance(0.5),
    compressionMs: random.chance(0.5) ? 0 : Math.round(random.between(1, 50))
  }
}

const shown = (every: Readonly<Partial<Record<string, number>>>): string => {
  const entries = Object.entries(every).map(([fault, minutes]) => `${fault} ${minutes}`)
  return entries.length === 0 ? "none" : entries.join(", ")
}

export const describeOptions = ({ nodes, minutes, seed, bug, fate }: SimulationOptions): ReadonlyArray<string> => [
  `seed ${seed}: ${nodes} nodes for ${minutes} virtual minutes`,
  `  link          ${fate.delayMs} ms and up to ${fate.jitterMs} ms of jitter one way, ${fate.lossRate * 100} % of messages sent again`,
  `  node faults   mean minutes between two on one node: ${shown(fate.everyMinutes)}`,
  `  control plane mean minutes between two: ${shown(fate.controlPlaneEveryMinutes)}`,
  `  configuration 50 routes, changed every 10 minutes, ${Math.round(fate.flawedChanges * 100)} % of the changes flawed at first`,
  `  error reports ${fate.konnectMode ? "on" : "off"}; compressing takes ${fate.compressionMs} ms`,
  ...(bug === undefined ? [] : [`  canary        ${bug}, planted in every node`])
]
