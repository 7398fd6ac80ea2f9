/** `faults.md`, "connection/timer leaks on reconnect": a node has one connection to its control plane, or none. */
import type { CheckerKind } from "./Checker.ts"

export const oneSocket: CheckerKind = {
  name: "oneSocket",
  promise: "at most one live socket per node",
  make: ({ network }, report) => ({
    onEvent: ({ _tag, node }) => {
      // An attempt is told of before it counts.
      const most = _tag === "Dialled" ? 0 : _tag === "Opened" ? 1 : undefined
      if (most === undefined) return
      const sockets = network.socketsOf(node)
      if (sockets <= most) return
      report(
        node,
        _tag === "Dialled"
          ? `dials while ${sockets} of its sockets are still open`
          : `has ${sockets} sockets open, where one is allowed`
      )
    }
  })
}
