/** Where a node gives its configuration to its neighbours: `config_peer_listen`, off by default. */
import { Context, Layer } from "effect"
import type { HostPort } from "../model/SettingTypes.ts"

export interface PeerCounts {
  readonly addresses: ReadonlyArray<HostPort>
  /** How often a neighbour has got the whole of it. */
  readonly given: number
  /** How often one was told where this node stands, or that it has what this node has. */
  readonly told: number
  /** How often there was nothing to give: no configuration, or none of a control plane's. */
  readonly nothing: number
  /** How often one was sent away because of the limits. */
  readonly busy: number
  /** How often one got only a part of it: it went away, or took too long. */
  readonly cutOff: number
  /** Whom the check of certificates refused, connections of which it could be told. */
  readonly refused: number
}

export class PeerListener extends Context.Service<
  PeerListener,
  {
    /** Where it listens, with the ports that the system chose where the setting says 0. */
    readonly addresses: ReadonlyArray<HostPort>
  }
>()("holdfast/services/PeerListener") {
  static readonly none = Layer.succeed(PeerListener, { addresses: [] })
}
