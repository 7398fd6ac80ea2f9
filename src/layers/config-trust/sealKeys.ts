/** The keys by which this node seals, and by which it knows its seals again: derived from the cluster's private key. */
import { Effect, PubSub, Stream } from "effect"
import { type SealKey, sealKeyFromCluster } from "../../model/ConfigStatement.ts"
import { inlinePem } from "../../model/Pem.ts"
import { ClusterKeys } from "../../services/ClusterKeys.ts"
import { keyOfNextStart } from "../../services/clusterKeyFiles.ts"
import { Disk } from "../../services/Disk.ts"
import { readPem } from "../../services/keyText.ts"
import { Settings } from "../../services/Settings.ts"
import { supervise } from "../../services/supervise.ts"

/** Half of a file that is being replaced is none. */
const keyOf = (pem: string): SealKey | undefined => {
  try {
    return sealKeyFromCluster(pem)
  } catch {
    return undefined
  }
}

/** A file that can't be read is told by whoever reads it for the cache. */
const previousKey = Effect.fnUntraced(function* (setting: string | undefined) {
  if (setting === undefined) return undefined
  const found = yield* Effect.option(readPem(yield* Disk, setting))
  return found._tag === "None" ? undefined : keyOf(found.value)
})

/** The newest first; that one seals, all of them are known. */
export const followSealKeys = Effect.gen(function* () {
  const { cluster_cert: cert, cluster_cert_key: key, cluster_cert_key_previous } = yield* Settings
  const { current, changes } = yield* ClusterKeys
  const pem = yield* current
  const newest = pem === undefined ? undefined : keyOf(pem)
  const previous = yield* previousKey(cluster_cert_key_previous)
  let known: ReadonlyArray<SealKey> = [newest, previous].flatMap((key) => key ?? [])
  const replaced = yield* PubSub.unbounded<void>()
  const take = (text: string) =>
    Effect.suspend(() => {
      const key = keyOf(text)
      if (key === undefined || key.name === known[0]?.name) return Effect.void
      known = [key, ...known.filter(({ name }) => name !== key.name)]
      return PubSub.publish(replaced, undefined)
    })
  yield* supervise("following the key of seals", Effect.andThen(Stream.runForEach(changes, take), Effect.never))
  const seals = newest !== undefined
  /** Before a stop, for the next start will know no other key (`CacheKeys.lookAgain`). */
  const lookAgain =
    !seals || key === undefined || inlinePem(key) !== undefined
      ? Effect.void
      : Effect.flatMap(keyOfNextStart(yield* Disk, { cert, key }), (text) =>
          text === undefined ? Effect.void : take(text)
        )
  return {
    lookAgain,
    all: () => known,
    newest: () => (seals ? known[0] : undefined),
    changes: Stream.fromPubSub(replaced)
  }
})
