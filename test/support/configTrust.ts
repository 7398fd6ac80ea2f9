/** A node that believes by keys: its trust, its running configuration and its cache on a virtual disk. */
import { createPublicKey } from "node:crypto"
import { Context, Effect, Layer, Logger, PubSub, Stream } from "effect"
import * as KeyedConfigTrust from "../../src/layers/config-trust/KeyedConfigTrust.ts"
import * as DiskConfigCache from "../../src/layers/disk-cache/DiskConfigCache.ts"
import { hashTable } from "../../src/model/ConfigHash.ts"
import { type Attestation, attestationOf, type ConfigStatement, signedBy } from "../../src/model/ConfigStatement.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { provenanceOf } from "../../src/model/Snapshot.ts"
import { describeTable } from "../../src/model/TableContent.ts"
import { ClusterKeys } from "../../src/services/ClusterKeys.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { ConfigEncoding } from "../../src/services/ConfigEncoding.ts"
import { ConfigTrust } from "../../src/services/ConfigTrust.ts"
import { LiveConfig, type Offer } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import type { VirtualDisk } from "../../src/testing/VirtualDisk.ts"
import { quickCompression } from "./diskCache.ts"
import { licenseKey, pemOf, publicPem } from "./licenses.ts"
import { joined, liveLayerFor } from "./live.ts"
import { eventsInto, type LoggedEvent } from "./logged.ts"
import { settingsLayer } from "./settings.ts"
import { table } from "./tables.ts"

export const prefix = "/p"
export const signer = 1
export const epoch = "2026-01-01T00:00:00.000Z-00000000"

/** What a control plane with the key of this seed says of a table. */
export const signed = (raw: Row, given: Partial<ConfigStatement> = {}, seed = signer): Attestation =>
  signedBy(
    attestationOf({
      epoch,
      hash: hashTable(raw).config,
      sha256: describeTable(raw).sha256,
      issuedAtMs: 1_767_225_600_000,
      ...given
    }),
    licenseKey(seed)
  )

export const offerOf = (raw: Row, given: Partial<Offer> = {}): Offer => ({
  raw,
  source: "object_storage",
  place: "s3://b/latest.json.gz",
  hash: hashTable(raw).config,
  receivedAtMs: 1_767_225_600_000,
  ...provenanceOf({ ...given, ...given.attestation?.statement }),
  ...given
})

/** A table that differs by its number, and the offer of it under that number. */
export const numbered = (sequence: number, given: Partial<Offer> = {}, statement: Partial<ConfigStatement> = {}) => {
  const raw = table(`/${sequence}`)
  return offerOf(raw, { attestation: signed(raw, { sequence, ...statement }), ...given })
}

export interface TrustingStart {
  readonly given?: Partial<Record<SettingName, string | undefined>>
  /** PEM of the cluster's key when the node starts; none unless told. */
  readonly cluster?: string | undefined
}

export const clusterKey = (seed: number): string => pemOf(licenseKey(seed))
export const trustKeys = (...seeds: ReadonlyArray<number>) => ({ config_trust_keys: seeds.map(publicPem).join("") })

/** In the caller's scope: a life of the process. */
export const startTrusting = Effect.fnUntraced(function* (
  disk: VirtualDisk,
  { given = trustKeys(signer), cluster }: TrustingStart = {}
) {
  const replaced = yield* PubSub.unbounded<string>()
  const events: Array<LoggedEvent> = []
  const settings = Object.fromEntries(
    Object.entries({ ...joined, prefix, ...given }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]]
    )
  )
  const clusterKeys = Layer.succeed(ClusterKeys, {
    current: Effect.succeed(cluster),
    changes: Stream.fromPubSub(replaced)
  })
  const layer = DiskConfigCache.layer.pipe(
    Layer.provideMerge(ConfigEncoding.layer),
    Layer.provideMerge(liveLayerFor(settings)),
    Layer.provideMerge(KeyedConfigTrust.layer),
    Layer.provideMerge(Layer.mergeAll(quickCompression, NodeHealth.layer, disk.layer, clusterKeys)),
    Layer.provideMerge(settingsLayer(settings)),
    Layer.provideMerge(Logger.layer([eventsInto(events)]))
  )
  const context = yield* Layer.build(layer)
  return {
    context,
    events,
    live: Context.get(context, LiveConfig),
    cache: Context.get(context, ConfigCache),
    trust: Context.get(context, ConfigTrust),
    replaceClusterKey: (pem: string) => PubSub.publish(replaced, pem)
  }
})

export const publicKeyOf = (seed: number) => createPublicKey(licenseKey(seed))
