/**
 * `hybrid-protocol-v1.md` §6.5, and `faults.md`, "half-open TCP": 45 s without any frame end a session, and nothing but
 * that, the other side, or the node's own stop ends it. A payload that can't be read does not.
 */
import { silenceLimitMs } from "../../model/Wire.ts"
import { type CheckerKind, perNode, seconds } from "./Checker.ts"

const epsilonMs = 1

export const silence: CheckerKind = {
  name: "silence",
  promise: "45 s of silence always end a session; valid traffic and unreadable payloads never do",
  make: (world, report) => {
    const stateOf = perNode(() => ({ heardMs: undefined as number | undefined, isStopping: false, isTold: false }))
    const judgeLength = (node: string, quietMs: number): void => {
      const state = stateOf(node)
      if (quietMs <= silenceLimitMs + epsilonMs || state.isTold) return
      state.isTold = true
      report(node, `holds on to a session in which nothing has come for ${seconds(quietMs)}`)
    }
    return {
      onEvent: (event) => {
        const { _tag, node, ownMs } = event
        const state = stateOf(node)
        if (_tag === "Started") Object.assign(state, { heardMs: undefined, isStopping: false, isTold: false })
        else if (_tag === "Stopping") state.isStopping = true
        else if (_tag === "Opened") Object.assign(state, { heardMs: ownMs, isTold: false })
        else if (state.heardMs === undefined) return
        else if (_tag === "Received") state.heardMs = ownMs
        else if (_tag === "Stopped") state.heardMs = undefined
        else if (_tag === "Ended") {
          const quietMs = ownMs - state.heardMs
          state.heardMs = undefined
          if (event.by === "node" && !state.isStopping && quietMs < silenceLimitMs - epsilonMs)
            report(node, `ended a session only ${seconds(quietMs)} after it heard of its control plane`)
        } else judgeLength(node, ownMs - state.heardMs)
      },
      atEnd: () => {
        for (const machine of world.machines()) {
          const { heardMs } = stateOf(machine.name)
          const clock = machine.process()?.clock
          if (heardMs !== undefined && clock !== undefined) judgeLength(machine.name, clock.monotonicMs() - heardMs)
        }
      }
    }
  }
}
