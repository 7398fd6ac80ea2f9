/**
 * The hash in a node's pings is the hash of what it serves (`hybrid-protocol-v1.md` §2); for a few seconds after a swap, while
 * that is brought to the disk, it may still be the one before.
 */

import { zeroHash } from "../../model/Snapshot.ts"
import { persistPatienceMs } from "../../model/session/limits.ts"
import { type CheckerKind, perNode, seconds } from "./Checker.ts"

const epsilonMs = 1

export const announcedIsApplied: CheckerKind = {
  name: "announcedIsApplied",
  promise: "the announced hash is the applied hash",
  make: (_, report) => {
    /** What served, and until when; an announcement that overtook its swap names none of them. */
    const stateOf = perNode(() => ({ hash: zeroHash, former: [] as Array<{ hash: string; untilMs: number }> }))
    return {
      onEvent: (event) => {
        const state = stateOf(event.node)
        if (event._tag === "Started") Object.assign(state, { hash: zeroHash, former: [] })
        else if (event._tag === "Serves") {
          const sinceMs = event.ownMs - persistPatienceMs - epsilonMs
          const former = state.former.filter(({ untilMs }) => untilMs >= sinceMs)
          state.former = [...former, { hash: state.hash, untilMs: event.ownMs }]
          state.hash = event.state.hash
        } else if (event._tag === "Announced" && event.applied !== undefined && event.hash !== event.applied) {
          const before = state.former.findLast(({ hash }) => hash === event.hash)
          const lateMs = before === undefined ? undefined : event.ownMs - before.untilMs
          if (lateMs !== undefined && lateMs <= persistPatienceMs + epsilonMs) return
          const since = lateMs === undefined ? "" : ` and has done so for ${seconds(lateMs)}`
          report(event.node, `announced ${event.hash} while it serves ${event.applied}${since}`)
        }
      }
    }
  }
}
