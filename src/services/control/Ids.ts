/** Fresh ids and keys for new rows. A service, so that tests and the simulator choose them. */
import { Context, type Effect } from "effect"

export class Ids extends Context.Service<
  Ids,
  {
    /** A version 4 UUID. */
    readonly uuid: Effect.Effect<string>
    /** A text that nobody can guess: 32 letters and digits. */
    readonly secret: Effect.Effect<string>
  }
>()("holdfast/services/control/Ids") {}
