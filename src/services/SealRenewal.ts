/**
 * Keeps the cache under this node's newest seal, where it is sealed at all: a seal by a key that is gone is nobody's word
 * at the next start. At the start, when it was known by `cluster_cert_key_previous`, and whenever the cluster's key is replaced.
 */
import { Effect, type Scope, Stream, SubscriptionRef } from "effect"
import { isSeal } from "../model/ConfigStatement.ts"
import type { Snapshot } from "../model/Snapshot.ts"
import { ConfigCache } from "./ConfigCache.ts"
import { ConfigTrust } from "./ConfigTrust.ts"
import { makeRemoteKeeper } from "./keepRemote.ts"
import { LiveConfig } from "./LiveConfig.ts"
import type { NodeHealth } from "./NodeHealth.ts"
import { supervise } from "./supervise.ts"

/** The declarative file is never cached. */
const isInCache = ({ source }: Snapshot): boolean => source !== "declarative_file" && source !== "empty"

/** A stop waits so long for a disk that does not answer. */
const patienceAtStop = "5 seconds"

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

    const cache = yield* ConfigCache

    const lastLook = Effect.gen(function* () {
      const before = yield* trust.sealName
      yield* trust.lookAgain
      const { snapshot } = yield* SubscriptionRef.get(live.state)
      if ((yield* trust.sealName) === before || snapshot === undefined || !isInCache(snapshot)) return
      yield* cache.write({ ...snapshot })
    }).pipe(Effect.ignore, Effect.interruptible, Effect.timeoutOption(patienceAtStop))

    yield* Effect.addFinalizer(() => lastLook)
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
