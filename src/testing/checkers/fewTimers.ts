/** `faults.md`, "connection/timer leaks on reconnect": the number of a node's timers does not grow with its reconnects. */
import { type CheckerKind, perNode } from "./Checker.ts"

/** The dials by which a node shows how many timers it needs. */
const firstDials = 3
/** More may be pending at one dial than at another: a disk that is asked again, a configuration under way. */
const slack = 6

export const fewTimers: CheckerKind = {
  name: "fewTimers",
  promise: "O(1) timers after n reconnects",
  make: (world, report) => {
    const stateOf = perNode(() => ({ dials: 0, atFirst: 0 }))
    return {
      onEvent: ({ _tag, node }) => {
        const state = stateOf(node)
        if (_tag === "Started") {
          state.dials = 0
          state.atFirst = 0
        }
        if (_tag !== "Dialled") return
        const pending = world.machine(node).process()?.clock.pendingTimers() ?? 0
        state.dials++
        if (state.dials <= firstDials) state.atFirst = Math.max(state.atFirst, pending)
        else if (pending > state.atFirst + slack)
          report(
            node,
            `has ${pending} timers pending at dial ${state.dials}, where ${state.atFirst} were enough at first`
          )
      }
    }
  }
}
