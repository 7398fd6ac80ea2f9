/** The rungs of a data plane that need the network; the ladder puts them in the order of the node's preference. */
import { Effect, Layer } from "effect"
import { objectStorageRungs } from "../layers/object-storage-rung/ObjectStorageRung.ts"
import { PeerRungs } from "../services/PeerRungs.ts"
import { RemoteRungs } from "../services/Rung.ts"

export const remoteRungs = Layer.effect(
  RemoteRungs,
  Effect.map(Effect.all([objectStorageRungs, PeerRungs]), (rungs) => rungs.flat())
)
