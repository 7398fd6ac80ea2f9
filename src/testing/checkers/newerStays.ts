/** Within one process a control plane's older push never replaces a newer one: a live session's latest counts (§6.6). */
import { type CheckerKind, perNode } from "./Checker.ts"

export const newerStays: CheckerKind = {
  name: "newerStays",
  promise: "nothing older replaces what a control plane pushed later",
  make: ({ pushes }, report) => {
    const stateOf = perNode(() => ({ sequence: 0 }))
    return {
      onEvent: (event) => {
        const state = stateOf(event.node)
        if (event._tag === "Started") state.sequence = 0
        if (event._tag !== "Serves") return
        const push = pushes.byHash(event.state.hash)
        if (push === undefined) return
        if (push.sequence < state.sequence)
          report(event.node, `went back from push ${state.sequence} to push ${push.sequence}`)
        state.sequence = Math.max(state.sequence, push.sequence)
      }
    }
  }
}
