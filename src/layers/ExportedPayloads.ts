/** Payloads from the store's export: reference `hybrid-protocol-v1.md` §4, §5 and §8. */
import { Clock, Effect, Layer, Ref, Semaphore, SubscriptionRef } from "effect"
import { hashTable } from "../model/ConfigHash.ts"
import { attestationOf } from "../model/ConfigStatement.ts"
import type { Row } from "../model/Entity.ts"
import { exportTable } from "../model/exportTable.ts"
import { reconfigureJson } from "../model/Wire.ts"
import { Compression } from "../services/Compression.ts"
import { ConfigCodec } from "../services/ConfigCodec.ts"
import { ConfigSigner } from "../services/control/ConfigSigner.ts"
import { ConfigStore } from "../services/control/ConfigStore.ts"
import { type Payload, Payloads } from "../services/control/Payloads.ts"

/** Disabled ones are not sent, so that no data plane needs them (`hybrid-protocol-v1.md` §9.2). */
const configuredPlugins = ({ plugins }: Row): ReadonlyArray<string> => [
  ...new Set(((plugins ?? []) as ReadonlyArray<Row>).map(({ name }) => String(name)))
]

const make = Effect.gen(function* () {
  const store = yield* ConfigStore
  const compression = yield* Compression
  const signer = yield* ConfigSigner
  const { describeTable } = yield* ConfigCodec
  const cached = yield* Ref.make<Payload | undefined>(undefined)
  const oneAtATime = yield* Semaphore.make(1)

  const build = Effect.gen(function* () {
    const { version, rows } = yield* store.export
    const nowMs = yield* Clock.currentTimeMillis
    const config_table = exportTable(rows, nowMs)
    const hashes = hashTable(config_table)
    const timestamp = nowMs / 1000
    const { sha256 } = describeTable(config_table)
    const hash = hashes.config
    const { epoch } = store
    const attestation = signer.sign(attestationOf({ epoch, sequence: version, hash, sha256, issuedAtMs: nowMs }))
    const json = reconfigureJson({ timestamp, config_table, config_hash: hash, hashes, attestation })
    const bytes = yield* compression.gzip(new TextEncoder().encode(json))
    const sections = [...rows].map(([name, { length }]) => ({ name, rows: length })).sort((a, b) => b.rows - a.rows)
    const plugins = configuredPlugins(config_table)
    const payload: Payload = { version, hash, bytes, attestation, plugins, sections }
    yield* Ref.set(cached, payload)
    return payload
  })

  const newest = Effect.gen(function* () {
    const known = yield* Ref.get(cached)
    return known !== undefined && known.version >= SubscriptionRef.getUnsafe(store.version) ? known : yield* build
  })

  return Payloads.of({ newest: oneAtATime.withPermits(1)(newest) })
})

export const layer: Layer.Layer<Payloads, never, ConfigStore | Compression | ConfigSigner> = Layer.effect(
  Payloads,
  make
)
