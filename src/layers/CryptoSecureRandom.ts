/** SecureRandom by `node:crypto`. */
import { randomBytes } from "node:crypto"
import { Effect, Layer } from "effect"
import { SecureRandom } from "../services/SecureRandom.ts"

export const layer: Layer.Layer<SecureRandom> = Layer.succeed(SecureRandom, {
  bytes: (count) => Effect.sync(() => randomBytes(count))
})
