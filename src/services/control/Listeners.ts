/** Where the control plane listens, as the system chose it: a setting may ask for any free port with port 0. */
import { Context } from "effect"

export interface BoundAddress {
  readonly host: string
  readonly port: number
}

export class AdminListener extends Context.Service<
  AdminListener,
  { readonly addresses: ReadonlyArray<BoundAddress> }
>()("holdfast/services/control/AdminListener") {}

export class ClusterListener extends Context.Service<
  ClusterListener,
  {
    readonly addresses: ReadonlyArray<BoundAddress>
    /** Where telemetry is taken and nothing else. */
    readonly telemetryAddresses: ReadonlyArray<BoundAddress>
  }
>()("holdfast/services/control/ClusterListener") {}
