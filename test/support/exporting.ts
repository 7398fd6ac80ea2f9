/** Exporters over a store of the test's choice, on virtual time, and configurations that differ by their numbers. */
import { Effect, Layer, Logger, MutableRef, Queue, Stream } from "effect"
import { hashTable } from "../../src/model/ConfigHash.ts"
import { attestationOf, signedBy } from "../../src/model/ConfigStatement.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { provenanceOf } from "../../src/model/Snapshot.ts"
import { describeTable } from "../../src/model/TableContent.ts"
import { Compression } from "../../src/services/Compression.ts"
import { ConfigEncoding, type Encodable } from "../../src/services/ConfigEncoding.ts"
import { ConfigTrust } from "../../src/services/ConfigTrust.ts"
import { EnvelopeProtection } from "../../src/services/EnvelopeProtection.ts"
import type { ExportFacts } from "../../src/services/export/ExportStatus.ts"
import { type Exportable, makeExporter } from "../../src/services/export/exportConfigs.ts"
import type { ObjectStore } from "../../src/services/ObjectStore.ts"
import { supervise } from "../../src/services/supervise.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { quickCompression } from "./diskCache.ts"
import { licenseKey } from "./licenses.ts"
import { settle } from "./live.ts"
import { eventsInto, type LoggedEvent } from "./logged.ts"
import { settingsLayer } from "./settings.ts"
import { table } from "./tables.ts"

export const firstEpoch = "2026-01-01T00:00:00.000Z-00000000"
export const secondEpoch = "2026-02-01T00:00:00.000Z-00000000"

export interface Numbered {
  readonly epoch?: string
  readonly raw?: Row
  /** Whose key signs it; nobody's unless told. */
  readonly seed?: number
}

/** What a control plane of ours gives under this number. */
export const configOf = (
  sequence: number,
  { epoch = firstEpoch, raw = table(`/${sequence}`), seed }: Numbered = {}
) => {
  const hash = hashTable(raw).config
  const issuedAtMs = 1_767_225_600_000 + sequence * 1_000
  const statement = attestationOf({ epoch, sequence, hash, sha256: describeTable(raw).sha256, issuedAtMs })
  const attestation = seed === undefined ? statement : signedBy(statement, licenseKey(seed))
  return {
    raw,
    hash,
    source: "control_plane",
    receivedAtMs: issuedAtMs,
    ...provenanceOf({ ...attestation.statement, attestation })
  } satisfies Encodable
}

export interface ExportingStart {
  readonly given?: Partial<Record<SettingName, string>>
  readonly trust?: Partial<typeof ConfigTrust.Service>
  readonly protection?: typeof EnvelopeProtection.Service
  readonly compression?: (known: Compression["Service"]) => Compression["Service"]
}

export const exportingLayer = (
  { given = {}, trust, protection, compression }: ExportingStart,
  events: Array<LoggedEvent>
) => {
  const trusting =
    trust === undefined
      ? Layer.empty
      : Layer.effect(
          ConfigTrust,
          Effect.map(ConfigTrust, (known) => ({ ...known, ...trust }))
        )
  const protecting = protection === undefined ? Layer.empty : Layer.succeed(EnvelopeProtection, protection)
  const quick = quickCompression as Layer.Layer<Compression>
  const compressing =
    compression === undefined
      ? quick
      : Layer.effect(Compression, Effect.map(Compression, compression)).pipe(Layer.provide(quick))
  return ConfigEncoding.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(compressing, TrustedClock.layerWall)),
    Layer.provideMerge(settingsLayer({ cluster_fallback_config_export_delay: "60", ...given })),
    Layer.provideMerge(Layer.mergeAll(trusting, protecting, Logger.layer([eventsInto(events)])))
  )
}

/** In the caller's scope: a life of the process. */
export const startExporter = Effect.fnUntraced(function* (store: ObjectStore, start: ExportingStart = {}) {
  const events: Array<LoggedEvent> = []
  const context = yield* Layer.build(exportingLayer(start, events))
  const given = yield* Queue.unbounded<Exportable>()
  const facts = MutableRef.make<ExportFacts | undefined>(undefined)
  yield* Effect.gen(function* () {
    const { run } = yield* makeExporter({ store, exportables: Stream.fromQueue(given), facts })
    yield* supervise("exporting", run)
  }).pipe(Effect.provide(context))
  return {
    events,
    messages: () => events.map(({ message }) => message),
    facts: () => MutableRef.get(facts),
    give: (exportable: Encodable | Exportable) =>
      Effect.andThen(Queue.offer(given, Effect.isEffect(exportable) ? exportable : Effect.succeed(exportable)), settle)
  }
})
