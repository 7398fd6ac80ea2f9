/**
 * `faults.md`, "NACK hot loop": what the same bytes would fail again is not tried again, and a control plane that wants to
 * know of a refusal is told once per version (`hybrid-protocol-v1.md` §7).
 *
 * Which payload an outcome belongs to is seen from outside only where one alone was waiting; where there were more, the
 * checker says nothing rather than something wrong.
 */
import { decodeErrorReport } from "../../model/Wire.ts"
import { digestOf } from "../PushLog.ts"
import { type CheckerKind, perNode } from "./Checker.ts"

const reportHead = Buffer.from('{"type":"error"')

/** Introductions are long, and nobody wants to read thousands of them to find that they are none. */
const isReport = (bytes: Uint8Array): boolean => Buffer.compare(bytes.subarray(0, reportHead.length), reportHead) === 0

interface State {
  /** Received and without an outcome yet, oldest first. */
  waiting: Array<string>
  /** Refused in this life. */
  readonly refused: Set<string>
  readonly reported: Set<string>
  lastRefused: string
}

export const rejectedOnce: CheckerKind = {
  name: "rejectedOnce",
  promise: "a rejected version is reported once, and the same failing bytes are not tried again",
  make: (_, report) => {
    const known = new WeakMap<Uint8Array, string>()
    const nameOf = (bytes: Uint8Array): string => {
      const name = known.get(bytes) ?? digestOf(bytes)
      known.set(bytes, name)
      return name
    }
    const stateOf = perNode((): State => ({ waiting: [], refused: new Set(), reported: new Set(), lastRefused: "" }))
    /** The one that was being applied is done with; of those that waited behind it, the newest counts. */
    const settle = (state: State): string | undefined => {
      const [first, ...rest] = state.waiting
      state.waiting = rest.slice(-1)
      return rest.length === 0 ? first : undefined
    }
    return {
      onEvent: (event) => {
        const state = stateOf(event.node)
        if (event._tag === "Started") {
          state.waiting = []
          state.refused.clear()
          state.reported.clear()
        } else if (event._tag === "Received" && event.bytes !== undefined) {
          const name = nameOf(event.bytes)
          if (!state.refused.has(name)) state.waiting.push(name)
        } else if (event._tag === "Serves" && event.state.source === "control_plane") {
          settle(state)
        } else if (event._tag === "Rejected" && event.rejection.source === "control_plane") {
          if (state.waiting.length === 0)
            report(event.node, `tried again what it had refused (${event.rejection.reasons[0] ?? "no reason"})`)
          const refused = settle(state)
          if (refused !== undefined) state.refused.add(refused)
          state.lastRefused = refused ?? `at ${event.atMs}`
        } else if (event._tag === "Sent" && isReport(event.bytes)) {
          const decoded = decodeErrorReport(event.bytes)
          if (decoded._tag === "Wrong") return
          const { config_hash = "unknown" } = decoded.message
          const version = `${config_hash} ${state.lastRefused}`
          if (state.reported.has(version)) report(event.node, `reported the refusal of ${config_hash} twice`)
          state.reported.add(version)
        }
      }
    }
  }
}
