/** What a node serves as a control plane's, at once or from its disk, is what one pushed, and was valid. */
import { zeroHash } from "../../model/Snapshot.ts"
import type { CheckerKind } from "./Checker.ts"

export const appliedWasPushed: CheckerKind = {
  name: "appliedWasPushed",
  promise: "the applied configuration is always one that was pushed and valid",
  make: ({ pushes }, report) => ({
    onEvent: (event) => {
      if (event._tag !== "Serves") return
      const { source, hash } = event.state
      if ((source !== "control_plane" && source !== "disk") || hash === zeroHash) return
      if (pushes.byHash(hash) === undefined)
        report(event.node, `serves ${hash} from ${source}, which nobody pushed as a valid configuration`)
    }
  })
}
