/** A checker holds one promise against everything that is seen of the nodes, and says in a sentence how it was broken. */
import type { NodeEvent } from "../NodeEvent.ts"
import type { World } from "../World.ts"

export interface Finding {
  readonly checker: string
  readonly node: string
  readonly atMs: number
  readonly sentence: string
}

export interface Checker {
  readonly onEvent: (event: NodeEvent) => void
  /** Once, when the world ends. */
  readonly atEnd?: () => void
}

export type Report = (node: string, sentence: string) => void

export interface CheckerKind {
  readonly name: string
  /** What it holds, in the words of the guarantee. */
  readonly promise: string
  readonly make: (world: World, report: Report) => Checker
}

/** The state that a checker keeps of each node. */
export const perNode = <S>(make: () => S): ((node: string) => S) => {
  const states = new Map<string, S>()
  return (node) => {
    const known = states.get(node)
    if (known !== undefined) return known
    const made = make()
    states.set(node, made)
    return made
  }
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`

export interface Checkers {
  /** In order of time. */
  readonly findings: () => ReadonlyArray<Finding>
  /** What somebody else found out. */
  readonly report: (checker: string, node: string, sentence: string) => void
  readonly finish: () => void
}

/** Sets checkers on a world; every finding is a line of its transcript. */
export const setCheckers = (world: World, kinds: ReadonlyArray<CheckerKind>): Checkers => {
  const findings: Array<Finding> = []
  const reportAs = (checker: string) => (node: string, sentence: string) => {
    const atMs = world.time.nowMs()
    findings.push({ checker, node, atMs, sentence })
    world.transcript.line(atMs, node, "PROMISE BROKEN", { checker, sentence })
  }
  const checkers = kinds.map(({ name, make }) => make(world, reportAs(name)))
  world.watch((event) => {
    for (const checker of checkers) checker.onEvent(event)
  })
  return {
    findings: () => findings,
    report: (checker, node, sentence) => reportAs(checker)(node, sentence),
    finish: () => {
      for (const checker of checkers) checker.atEnd?.()
    }
  }
}
