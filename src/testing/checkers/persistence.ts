/**
 * `faults.md`, "crash between load and persist": after any crash a node serves what it last announced as being on its disk,
 * or something newer; never something older, never nothing. Nobody promises that of a disk that can't be read at the start.
 */
import { type CheckerKind, perNode } from "./Checker.ts"

export const persistence: CheckerKind = {
  name: "persistence",
  promise: "after a restart nothing older than the last persisted announcement serves",
  make: ({ pushes, machine }, report) => {
    const stateOf = perNode(() => ({ persisted: 0, isFresh: false, isExcused: false }))
    const isReadable = (node: string): boolean => {
      const { isStuck = false, faultOf, slowMs } = machine(node).diskConditions()
      return !isStuck && faultOf === undefined && slowMs === undefined
    }
    return {
      onEvent: (event) => {
        const state = stateOf(event.node)
        if (event._tag === "Tampered") state.persisted = 0
        else if (event._tag === "Started") {
          state.isFresh = true
          state.isExcused = !isReadable(event.node)
        } else if (event._tag === "Announced" && event.isPersisted && !state.isFresh) {
          state.persisted = Math.max(state.persisted, pushes.byHash(event.hash)?.sequence ?? 0)
        } else if (event._tag === "Serves") {
          const served = pushes.byHash(event.state.hash)?.sequence ?? 0
          if (state.isFresh && !state.isExcused && served < state.persisted && isReadable(event.node))
            report(event.node, `came back with push ${served}, though it had announced push ${state.persisted} as kept`)
          state.isFresh = false
        } else if (event._tag === "Dialled" && state.isFresh) {
          if (state.persisted > 0 && !state.isExcused && isReadable(event.node))
            report(event.node, `came back with nothing, though it had announced push ${state.persisted} as kept`)
          state.isFresh = false
        }
      }
    }
  }
}
