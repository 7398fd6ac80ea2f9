/** The flags of `holdfast simulate`, read: every fault of theirs at once. */
import { randomInt } from "node:crypto"
import { Effect } from "effect"
import type { Fault } from "../../model/Fault.ts"
import { StartError } from "../../services/StartError.ts"
import { makeRandom } from "../../testing/SeededRandom.ts"
import type { CommandInput } from "../Command.ts"
import { type BugName, bugNames, bugs, fateWith } from "./bugs.ts"
import { drawFate, type SimulationOptions } from "./options.ts"

export interface Asked {
  /** One run each. */
  readonly runs: ReadonlyArray<SimulationOptions>
  readonly report: string | undefined
  readonly transcript: string | undefined
  readonly isQuiet: boolean
}

const nodesDefault = 100
const minutesDefault = 60
const nodesMax = 100_000
const minutesMax = 60 * 24 * 30
const swarmMax = 100_000
const seedMax = 2 ** 31

const minutesPerHour = 60

export const readFlags = ({ flags }: Pick<CommandInput, "flags">): Effect.Effect<Asked, StartError> =>
  Effect.suspend(() => {
    const faults: Array<Fault> = []
    const textOf = (name: string): string | undefined => {
      const value = flags[name]
      return typeof value === "string" ? value : undefined
    }
    const numberOf = (name: string, max: number, isWhole: boolean): number | undefined => {
      const text = textOf(name)
      if (text === undefined) return undefined
      const value = Number(text)
      if (text.trim() !== "" && value > 0 && value <= max && (!isWhole || Number.isInteger(value))) return value
      const kind = isWhole ? "a whole number" : "a number"
      faults.push({ path: [`--${name}`], message: `expected ${kind} above 0, at most ${max}`, value: text })
      return undefined
    }

    const nodes = numberOf("nodes", nodesMax, true) ?? nodesDefault
    const hours = numberOf("hours", minutesMax / minutesPerHour, false)
    const minutes = numberOf("minutes", minutesMax, false)
    if (textOf("hours") !== undefined && textOf("minutes") !== undefined)
      faults.push({ path: ["--minutes"], message: "expected either --hours or --minutes" })
    const swarm = numberOf("swarm", swarmMax, true)
    const seed = textOf("seed") ?? String(randomInt(seedMax))
    const bugText = textOf("bug")
    const bug = bugNames.find((name) => name === bugText)
    if (bugText !== undefined && bug === undefined)
      faults.push({ path: ["--bug"], message: `expected one of ${bugNames.join(", ")}`, value: bugText })
    if (swarm !== undefined && !Number.isSafeInteger(Number(seed)))
      faults.push({ path: ["--seed"], message: "expected a whole number to count on from, with --swarm", value: seed })
    if (textOf("transcript") !== undefined && swarm !== undefined)
      faults.push({ path: ["--transcript"], message: "expected no --swarm beside it: one file holds one run" })
    if (faults.length > 0) return Effect.fail(new StartError({ faults, exitCode: 2 }))

    const bugOf = (of: string): BugName | undefined =>
      bug ?? (flags.canary === true ? makeRandom(of).stream("canary").pick(bugNames) : undefined)
    const runOf = (of: string, fleet: { nodes: number; minutes: number }): SimulationOptions => {
      const name = bugOf(of)
      const planted = name === undefined ? undefined : bugs[name]
      return { ...fleet, seed: of, bug: name, fate: fateWith(planted, drawFate(of), fleet) }
    }
    const seeds =
      swarm === undefined ? [seed] : Array.from({ length: swarm }, (_, index) => String(Number(seed) + index))
    const wholeMinutes = Math.max(
      1,
      Math.round(minutes ?? (hours === undefined ? minutesDefault : hours * minutesPerHour))
    )
    return Effect.succeed({
      runs: seeds.map((of) => runOf(of, { nodes, minutes: wholeMinutes })),
      report: textOf("report"),
      transcript: textOf("transcript"),
      isQuiet: flags.quiet === true
    })
  })
