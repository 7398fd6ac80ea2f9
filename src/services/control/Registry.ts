/** What is known of every data plane that was ever heard of, until it has been silent for the purge delay. */
import { Context, type Effect } from "effect"
import type { DataPlaneRecord } from "../../model/Fleet.ts"

export class Registry extends Context.Service<
  Registry,
  {
    /** Changes the record of a node; `undefined` when there is none yet. Ids that are no UUIDs are not kept (§11). */
    readonly update: (
      id: string,
      change: (known: DataPlaneRecord | undefined) => DataPlaneRecord
    ) => Effect.Effect<void>
    readonly all: Effect.Effect<ReadonlyArray<DataPlaneRecord>>
    readonly find: (id: string) => Effect.Effect<DataPlaneRecord | undefined>
  }
>()("holdfast/services/control/Registry") {}
