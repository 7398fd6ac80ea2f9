/** Who this data plane node is towards its control plane: reference `hybrid-protocol-v1.md` §12. */
import { Context } from "effect"

export class Identity extends Context.Service<
  Identity,
  {
    /** A UUID that survives restarts as long as the prefix does. */
    readonly nodeId: string
    readonly hostname: string
    /** The gateway version that the node claims. */
    readonly version: string
  }
>()("holdfast/services/Identity") {}
