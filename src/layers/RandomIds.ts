/** Ids from Node's secure random source. */
import { randomBytes, randomUUID } from "node:crypto"
import { Effect, Layer } from "effect"
import { secretText } from "../model/SecretText.ts"
import { Ids } from "../services/control/Ids.ts"

export const layer: Layer.Layer<Ids> = Layer.succeed(Ids, {
  uuid: Effect.sync(() => randomUUID()),
  secret: Effect.sync(() => secretText(randomBytes))
})
