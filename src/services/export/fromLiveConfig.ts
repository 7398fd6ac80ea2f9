/**
 * What a data plane exports: what its control plane gave it. Never a file of a person's, nor what was found at a peer's or
 * in object storage: that would give it a new life under a name that vouches for more than it should.
 */
import { Effect, Stream, SubscriptionRef } from "effect"
import { LiveConfig } from "../LiveConfig.ts"
import type { Exportable } from "./exportConfigs.ts"

export const exportablesOfLiveConfig = Effect.map(
  LiveConfig,
  ({ state }): Stream.Stream<Exportable> =>
    SubscriptionRef.changes(state).pipe(
      Stream.map(({ snapshot }) => snapshot),
      Stream.changesWith((a, b) => a === b),
      Stream.filter((snapshot) => snapshot?.source === "control_plane"),
      Stream.map((snapshot) => (snapshot === undefined ? Effect.never : Effect.succeed(snapshot)))
    )
)
