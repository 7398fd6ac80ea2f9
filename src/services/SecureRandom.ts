/** Randomness that nobody can guess: nonces, keys, ids. What only has to be even (jitter) comes from Effect's `Random`. */
import { Context, type Effect } from "effect"

export class SecureRandom extends Context.Service<
  SecureRandom,
  {
    readonly bytes: (count: number) => Effect.Effect<Uint8Array>
  }
>()("holdfast/services/SecureRandom") {}
