/** What is counted while a simulation runs, for its report. */
import type { World } from "../../testing/World.ts"

export interface Distribution {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export const distributionOf = (values: ReadonlyArray<number>): Distribution => {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

export interface Measurements {
  /** Dials in each virtual second, the first of a process among them. */
  readonly dialsPerSecond: () => ReadonlyArray<number>
  /** Sessions opened in each virtual second. */
  readonly sessionsPerSecond: () => ReadonlyArray<number>
  /** From a push to its serving on a node, in ms; of pushes that reached the node while nothing newer had been pushed. */
  readonly convergeMs: () => ReadonlyArray<number>
  /** Of each node. */
  readonly appliedByNode: () => ReadonlyArray<number>
  readonly totals: () => Readonly<Record<string, number>>
  /** Restarts the measuring of times to converge. */
  readonly forgetConvergence: () => void
}

const increment = (counts: Array<number>, at: number): void => {
  while (counts.length <= at) counts.push(0)
  counts[at] = (counts[at] ?? 0) + 1
}

export const measure = (world: World): Measurements => {
  const dials: Array<number> = []
  const sessions: Array<number> = []
  const applied = new Map<string, number>()
  const totals: Record<string, number> = {}
  let converge: Array<number> = []

  world.watch((event) => {
    const second = Math.floor(event.atMs / 1000)
    totals[event._tag] = (totals[event._tag] ?? 0) + 1
    if (event._tag === "Dialled") increment(dials, second)
    else if (event._tag === "Opened") increment(sessions, second)
    else if (event._tag === "Serves" && event.state.source === "control_plane") {
      applied.set(event.node, (applied.get(event.node) ?? 0) + 1)
      const latest = world.pushes.latestValid()
      if (latest !== undefined && latest.hash === event.state.hash) converge.push(event.atMs - latest.atMs)
    }
  })
  return {
    dialsPerSecond: () => dials,
    sessionsPerSecond: () => sessions,
    convergeMs: () => converge,
    appliedByNode: () => world.machines().map(({ name }) => applied.get(name) ?? 0),
    totals: () => totals,
    forgetConvergence: () => {
      converge = []
    }
  }
}
