/** What a control plane exports: what it would send to a data plane now, after each change and once at the start. */
import { Effect, Stream, SubscriptionRef } from "effect"
import { provenanceOf } from "../../model/Snapshot.ts"
import { Compression, inflatedMaxBytes } from "../Compression.ts"
import { ConfigCodec } from "../ConfigCodec.ts"
import type { Encodable } from "../ConfigEncoding.ts"
import type { Exportable } from "../export/exportConfigs.ts"
import { ExportFailed } from "../export/exportOnce.ts"
import { ConfigStore } from "./ConfigStore.ts"
import { type Payload, Payloads } from "./Payloads.ts"

export const exportablesOfPayloads = Effect.gen(function* () {
  const { version } = yield* ConfigStore
  const payloads = yield* Payloads
  const { gunzip } = yield* Compression
  const { decodeReconfigure } = yield* ConfigCodec
  /** The newest only, so that trying again is no work for the thread. */
  let made: { readonly payload: Payload; readonly encodable: Encodable } | undefined

  const encodableOf = Effect.fnUntraced(function* (payload: Payload) {
    if (made?.payload === payload) return made.encodable
    const decoded = decodeReconfigure(yield* gunzip(payload.bytes, inflatedMaxBytes))
    if (decoded._tag !== "Right") return yield* Effect.die(new Error("a payload of our own can't be decoded"))
    const { hash, attestation } = payload
    const { issuedAtMs } = attestation.statement
    const encodable: Encodable = {
      raw: decoded.message.config_table,
      hash,
      source: "control_plane",
      receivedAtMs: issuedAtMs,
      ...provenanceOf({ ...attestation.statement, attestation })
    }
    made = { payload, encodable }
    return encodable
  })

  const newest: Exportable = payloads.newest.pipe(
    Effect.flatMap(encodableOf),
    Effect.mapError(({ message }) => new ExportFailed({ message }))
  )

  return Stream.map(SubscriptionRef.changes(version), (): Exportable => Effect.suspend(() => newest))
})
