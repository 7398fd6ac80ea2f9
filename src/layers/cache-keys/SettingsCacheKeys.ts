/**
 * CacheKeys by settings. Whatever key a setting names can be read with, in any mode, so that a change of the mode needs
 * no step between; the mode says which one is written with. Only the cluster's key changes while the node runs.
 */
import { Effect, Layer, Option, Result, Stream, SubscriptionRef } from "effect"
import type { CacheKey } from "../../model/CacheKey.ts"
import type { Fault } from "../../model/Fault.ts"
import { inlinePem } from "../../model/Pem.ts"
import type { SettingName } from "../../model/SettingTable.ts"
import { CacheKeys, type KnownKeys } from "../../services/CacheKeys.ts"
import { ClusterKeys } from "../../services/ClusterKeys.ts"
import { keyOfNextStart, pemOf } from "../../services/clusterKeyFiles.ts"
import { Disk } from "../../services/Disk.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { supervise } from "../../services/supervise.ts"
import { keyOfPem, keysOfFile } from "./keySources.ts"

type Keys = ReadonlyArray<CacheKey>

/** What each setting gives; the cluster's keys newest first. */
interface Sources {
  readonly file: Keys
  readonly environment: Keys
  readonly cluster: Keys
  readonly clusterPrevious: Keys
}

const noKeys: Effect.Effect<Keys, Fault> = Effect.succeed([])

const previousName = "cluster_cert_key_previous"

const loadSources = Effect.gen(function* () {
  const settings = yield* Settings
  const disk = yield* Disk
  const pem = yield* Effect.flatMap(ClusterKeys, ({ current }) => current)
  const { config_cache_key_file: file, config_cache_key, cluster_cert_key_previous: previous } = settings
  const one = Effect.map((key: CacheKey): Keys => [key])
  const ofPem = (name: SettingName, text: Effect.Effect<string, Fault>) =>
    one(Effect.flatMap(text, (found) => keyOfPem(name, found)))
  const [ofFile, ofCluster, ofPrevious] = yield* Effect.all([
    Effect.result(file === undefined ? noKeys : keysOfFile(disk, file)),
    Effect.result(pem === undefined ? noKeys : ofPem("cluster_cert_key", Effect.succeed(pem))),
    Effect.result(previous === undefined ? noKeys : ofPem(previousName, pemOf(disk, previousName, previous)))
  ])
  if (Result.isFailure(ofFile) || Result.isFailure(ofCluster) || Result.isFailure(ofPrevious)) {
    const faults = [ofFile, ofCluster, ofPrevious].flatMap((each) => Option.toArray(Result.getFailure(each)))
    return yield* new StartError({ faults, exitCode: 2 })
  }
  return {
    file: ofFile.success,
    environment: config_cache_key ?? [],
    cluster: ofCluster.success,
    clusterPrevious: ofPrevious.success
  } satisfies Sources
})

const unique = (keys: Keys): Keys => [...new Map(keys.map((key) => [key.id, key])).values()]

const make = Effect.gen(function* () {
  const { config_cache_encryption: mode, cluster_cert: cert, cluster_cert_key: key } = yield* Settings
  const disk = yield* Disk
  const { changes } = yield* ClusterKeys
  const sources = yield* loadSources

  const knownWith = (cluster: Keys): KnownKeys => {
    const { file, environment, clusterPrevious } = sources
    const writing: Record<typeof mode, Keys> = { off: [], file, environment, cluster_key: cluster }
    return {
      newest: writing[mode][0],
      readable: unique([...writing[mode], ...cluster, ...file, ...environment, ...clusterPrevious])
    }
  }

  const known = yield* SubscriptionRef.make(knownWith(sources.cluster))
  if (mode === "cluster_key" && sources.cluster.length === 0) {
    const message = "expected another mode: this node has no cluster_cert_key from which a key could be derived"
    return yield* new StartError({ faults: [{ path: ["config_cache_encryption"], message, value: mode }], exitCode: 2 })
  }

  let cluster = sources.cluster

  /** A PEM that can't be read is half of a file that is being replaced: the whole one follows. */
  const take = Effect.fnUntraced(
    function* (pem: string) {
      const key = yield* keyOfPem("cluster_cert_key", pem)
      if (key.id === cluster[0]?.id) return
      cluster = [key, ...cluster.filter(({ id }) => id !== key.id)]
      yield* SubscriptionRef.set(known, knownWith(cluster))
    },
    (self) => Effect.ignore(self)
  )

  yield* supervise("following the cluster key", Effect.andThen(Stream.runForEach(changes, take), Effect.never))

  /** The key alone proves nothing: no start would accept one that does not belong to the certificate. */
  const lookAgain =
    mode !== "cluster_key" || key === undefined || inlinePem(key) !== undefined
      ? Effect.void
      : Effect.flatMap(keyOfNextStart(disk, { cert, key }), (pem) => (pem === undefined ? Effect.void : take(pem)))

  const settled = Effect.fnUntraced(function* (newest: CacheKey | undefined) {
    const now = yield* SubscriptionRef.get(known)
    if (now.newest?.id !== newest?.id || cluster.length < 2) return
    cluster = cluster.slice(0, 1)
    yield* SubscriptionRef.set(known, knownWith(cluster))
  })

  return CacheKeys.of({ known, lookAgain, settled })
})

export const layer: Layer.Layer<CacheKeys, StartError, Settings | Disk | ClusterKeys> = Layer.effect(CacheKeys, make)
