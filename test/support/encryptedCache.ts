/** The cache with its encryption, on a virtual disk, started and stopped as a node starts and stops it. */
import { Effect, Layer, Logger, Queue, type Scope, Stream, SubscriptionRef } from "effect"
import * as CryptoSecureRandom from "../../src/layers/CryptoSecureRandom.ts"
import * as EncryptedCache from "../../src/layers/cache-keys/EncryptedCache.ts"
import * as SettingsCacheKeys from "../../src/layers/cache-keys/SettingsCacheKeys.ts"
import * as DiskConfigCache from "../../src/layers/disk-cache/DiskConfigCache.ts"
import { decryptCache, isEncrypted } from "../../src/model/CacheCipher.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { CacheKeys } from "../../src/services/CacheKeys.ts"
import { keepCacheRenewed } from "../../src/services/CacheRenewal.ts"
import { ClusterKeys } from "../../src/services/ClusterKeys.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { ConfigEncoding } from "../../src/services/ConfigEncoding.ts"
import { serveRung } from "../../src/services/Ladder.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import type { Settings } from "../../src/services/Settings.ts"
import type { VirtualDisk } from "../../src/testing/VirtualDisk.ts"
import { quickCompression } from "./diskCache.ts"
import { joined, liveLayerFor } from "./live.ts"
import { eventsInto, type LoggedEvent } from "./logged.ts"
import { settingsLayer } from "./settings.ts"
import { snapshotOf, table } from "./tables.ts"

export const prefix = "/usr/local/kong"

export interface Start {
  readonly given: Partial<Record<SettingName, string>>
  /** PEM of the cluster's key when the node starts. */
  readonly cluster: string
}

export const startEncrypted = Effect.fnUntraced(function* (disk: VirtualDisk, { given, cluster }: Start) {
  const replaced = yield* Queue.unbounded<string>()
  const events: Array<LoggedEvent> = []
  const settings = { ...joined, prefix, ...given }
  const clusterKeys = Layer.succeed(ClusterKeys, {
    current: Effect.succeed(cluster),
    changes: Stream.fromQueue(replaced)
  })
  const layer = Layer.mergeAll(
    DiskConfigCache.layer.pipe(
      Layer.provide(ConfigEncoding.layer),
      Layer.provide([quickCompression, EncryptedCache.layer]),
      Layer.provideMerge(SettingsCacheKeys.layer)
    ),
    liveLayerFor(settings)
  ).pipe(
    Layer.provide([disk.layer, CryptoSecureRandom.layer, clusterKeys]),
    Layer.provideMerge(settingsLayer(settings)),
    Layer.provideMerge(Logger.layer([eventsInto(events)]))
  )
  const context = yield* Layer.build(layer)
  const inside = <A, E>(effect: Effect.Effect<A, E, ConfigCache | CacheKeys | LiveConfig | Settings | Scope.Scope>) =>
    Effect.provide(effect, context)
  const cache = yield* inside(ConfigCache)
  const live = yield* inside(LiveConfig)
  return {
    cache,
    events,
    keys: yield* inside(CacheKeys),
    /** The path of the route that serves now that the disk was asked; without one, why not. */
    serve: Effect.gen(function* () {
      yield* serveRung(live, cache)
      const { snapshot, passedOver } = yield* SubscriptionRef.get(live.state)
      const route = snapshot?.table.routes[0]
      return route?.paths?.[0] ?? passedOver.flatMap(({ reasons }) => reasons).join("; ")
    }).pipe(Effect.provide(context)),
    /** What the node does beside: to be begun once it serves. */
    renewing: inside(keepCacheRenewed),
    write: (path: string) => cache.write(snapshotOf(table(path), `c${path.slice(1)}`.padEnd(32, "0"))),
    replaceKey: (pem: string) => Queue.offer(replaced, pem)
  }
})

/** Under which key each file of the cache is: current first, then the older ones, newest first. */
export const keyIdsOf = ({ hand }: VirtualDisk): ReadonlyArray<string | undefined> =>
  hand
    .paths()
    .filter((path) => path === `${prefix}/config.json.gz` || path.startsWith(`${prefix}/generations/`))
    .map((path) => hand.read(path) ?? new Uint8Array(0))
    .map((bytes) => (isEncrypted(bytes) ? decryptCache(bytes, []).keyId : "plain"))
