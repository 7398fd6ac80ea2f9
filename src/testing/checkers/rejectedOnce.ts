/**
 * `faults.md`, "NACK hot loop": what the same bytes would fail again is not tried again, and a control plane that wants to
 * know of a refusal is told once per version (`hybrid-protocol-v1.md` §7).
 */
import { decodeErrorReport } from "../../model/Wire.ts"
import { digestOf } from "../PushLog.ts"
import { type CheckerKind, perNode } from "./Checker.ts"

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
    const stateOf = perNode(() => ({
      received: "",
      rejected: undefined as string | undefined,
      reported: new Set<string>()
    }))
    return {
      onEvent: (event) => {
        const state = stateOf(event.node)
        if (event._tag === "Started") {
          state.rejected = undefined
          state.reported.clear()
        } else if (event._tag === "Received" && event.bytes !== undefined) {
          state.received = nameOf(event.bytes)
        } else if (event._tag === "Serves") {
          state.rejected = undefined
        } else if (event._tag === "Rejected" && event.rejection.source === "control_plane") {
          if (state.rejected === state.received)
            report(event.node, `tried the same refused bytes again (${event.rejection.reasons[0] ?? "no reason"})`)
          state.rejected = state.received
        } else if (event._tag === "Sent") {
          const decoded = decodeErrorReport(event.bytes)
          if (decoded._tag === "Wrong") return
          const { config_hash = "unknown" } = decoded.message
          const version = `${config_hash} ${state.rejected ?? ""}`
          if (state.reported.has(version)) report(event.node, `reported the refusal of ${config_hash} twice`)
          state.reported.add(version)
        }
      }
    }
  }
}
