/**
 * Keeps the cache under this node's newest seal, where it is sealed at all: a seal by a key that is gone is nobody's word
 * at the next start. At the start, when it was known by `cluster_cert_key_previous`, and whenever the cluster's key is replaced.
 */
import { Effect, type Scope, Stream, SubscriptionRef } from "effect"
import { isSeal } from "../model/ConfigStatement.ts"
import type { Snapshot } from "../model/Snapshot.ts"
import type { ConfigCache } from "./ConfigCache.ts"
import { ConfigTrust } from "./ConfigTrust.ts"
import { makeRemoteKeeper } from "./keepRemote.ts"
import { LiveConfig } from "./LiveConfig.ts"
import type { NodeHealth } from "./NodeHealth.ts"
import { supervise } from "./supervise.ts"

const isInCache = ({ source }: Snapshot): boolean => source === "disk" || source === "control_plane"

const isSealedByOther = ({ attestation }: Snapshot, name: string): boolean => {
  const seals = attestation?.signatures.filter(({ by }) => isSeal(by)) ?? []
  return seals.length > 0 && seals.every(({ by }) => by !== name)
}

export const keepSealed: Effect.Effect<void, never, LiveConfig | ConfigCache | NodeHealth | Scope.Scope> = Effect.gen(
  function* () {
    const trust = yield* ConfigTrust
    const live = yield* LiveConfig
    const { keep } = yield* makeRemoteKeeper

    const reseal = (isDue: (snapshot: Snapshot, name: string) => boolean) =>
      Effect.gen(function* () {
        const { snapshot } = yield* SubscriptionRef.get(live.state)
        const name = yield* trust.sealName
        if (snapshot === undefined || name === undefined || !isInCache(snapshot) || !isDue(snapshot, name)) return
        // A value of its own: what was written down of the other one stands under the former seal.
        yield* keep({ ...snapshot })
      })

    yield* reseal(isSealedByOther)
    yield* supervise(
      "keeping the cache under the newest seal",
      Effect.andThen(
        Stream.runForEach(trust.sealChanges, () => reseal(() => true)),
        Effect.never
      )
    )
  }
)
