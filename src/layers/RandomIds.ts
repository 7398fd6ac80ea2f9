/** Ids from Node's secure random source. */
import { randomUUID } from "node:crypto"
import { Effect, Layer } from "effect"
import { Ids } from "../services/control/Ids.ts"

export const layer: Layer.Layer<Ids> = Layer.succeed(Ids, { uuid: Effect.sync(() => randomUUID()) })
