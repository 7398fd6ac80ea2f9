/** What a node may get from its neighbours: no rung where `config_peers` names none. It is one of the `RemoteRungs`. */
import { Context, Layer } from "effect"
import type { Rung } from "./Rung.ts"

export class PeerRungs extends Context.Service<PeerRungs, ReadonlyArray<Rung>>()("holdfast/services/PeerRungs") {
  static readonly none = Layer.succeed(PeerRungs, [])
}
