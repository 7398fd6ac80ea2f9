/** The declarative file: what a node serves when it has nothing better. */
import { Context, type Effect, type Option } from "effect"
import type { ConfigRejected, Offer } from "./LiveConfig.ts"

export class DeclarativeConfig extends Context.Service<
  DeclarativeConfig,
  {
    /** None when no setting names one. Fails with every fault of the file. */
    readonly read: Effect.Effect<Option.Option<Offer>, ConfigRejected>
  }
>()("holdfast/services/DeclarativeConfig") {}
