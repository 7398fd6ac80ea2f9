/**
 * A snapshot as it is kept and handed on: the table's canonical text with its provenance inside, in gzip. Cache, peers and
 * object storage have one and the same form, so that a person may carry it from any of them to any other. For a large
 * table the making is a second of the thread that carries traffic, so it is done once, whoever asks; the newest outcome
 * is kept, for as long as somebody holds its snapshot. What protects it (encryption at rest, say) comes after it.
 */
import { Context, Data, Effect, Layer, Result, Semaphore } from "effect"
import { encodeCachedTable } from "../model/CachedTable.ts"
import { fourParts } from "../model/GatewayVersion.ts"
import type { Snapshot } from "../model/Snapshot.ts"
import { isShortOfMemory, messageOf } from "../model/thrown.ts"
import { Compression, inflatedMaxBytes } from "./Compression.ts"
import { ConfigCodec } from "./ConfigCodec.ts"
import { ConfigTrust } from "./ConfigTrust.ts"
import { Settings } from "./Settings.ts"

export class EncodingFailed extends Data.TaggedError("EncodingFailed")<{
  readonly message: string
  /** `ENOMEM` where memory was short; without one, trying again is no use. */
  readonly code?: string
}> {}

/** What is needed of a snapshot to write it down. */
export type Encodable = Omit<Snapshot, "table" | "notServed">

/** `maxBytes` is of the text: what could not be read again must not take the place of what can. */
export const makeConfigEncoding = (maxBytes: number) =>
  Effect.gen(function* () {
    const { kong_version } = yield* Settings
    const compression = yield* Compression
    const { describeTable } = yield* ConfigCodec
    const trust = yield* ConfigTrust
    const gatewayVersion = fourParts(kong_version)
    let kept = new WeakMap<Encodable, Result.Result<Uint8Array, EncodingFailed>>()

    const unprocessed = (cause: unknown) =>
      new EncodingFailed({
        message: `can't be processed (${messageOf(cause)})`,
        ...(isShortOfMemory(cause) ? { code: "ENOMEM" } : {})
      })

    const encode = Effect.fnUntraced(function* (snapshot: Encodable) {
      const content =
        trust.takeDescribed(snapshot.raw) ??
        (yield* Effect.try({ try: () => describeTable(snapshot.raw), catch: unprocessed }))
      const attestation = yield* trust.attest(snapshot, content)
      const { attestation: _, ...origin } = snapshot
      const text = yield* Effect.try({
        try: () =>
          encodeCachedTable(content, {
            ...origin,
            gatewayVersion,
            ...(attestation === undefined ? {} : { attestation })
          }),
        catch: unprocessed
      })
      const inflated = new TextEncoder().encode(text)
      if (inflated.length > maxBytes)
        return yield* new EncodingFailed({ message: `expected at most ${maxBytes} bytes of JSON` })
      return yield* compression.gzip(inflated)
    })

    /** Whoever asks while it is being made waits for that one. */
    const oneAtATime = yield* Semaphore.make(1)

    const encoded = Effect.fnUntraced(function* (snapshot: Encodable) {
      const outcome = kept.get(snapshot) ?? (yield* Effect.result(encode(snapshot)))
      const mayPass = Result.isFailure(outcome) && outcome.failure.code !== undefined
      if (!mayPass) kept = new WeakMap([[snapshot, outcome]])
      return yield* Effect.fromResult(outcome)
    }, oneAtATime.withPermit)

    return { encoded }
  })

export class ConfigEncoding extends Context.Service<
  ConfigEncoding,
  { readonly encoded: (snapshot: Encodable) => Effect.Effect<Uint8Array, EncodingFailed> }
>()("holdfast/services/ConfigEncoding") {
  static readonly layer: Layer.Layer<ConfigEncoding, never, Settings | Compression> = Layer.effect(
    ConfigEncoding,
    makeConfigEncoding(inflatedMaxBytes)
  )
}
