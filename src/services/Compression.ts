/** gzip, off the thread that carries traffic. */
import { Context, Data, type Effect } from "effect"

export class CompressionError extends Data.TaggedError("CompressionError")<{
  readonly reason: "notGzip" | "tooLarge" | "noMemory"
  readonly message: string
}> {}

export class Compression extends Context.Service<
  Compression,
  {
    readonly gzip: (bytes: Uint8Array) => Effect.Effect<Uint8Array>
    /** Refuses to inflate to more than `maxBytes`: a small message must not be able to fill the memory. */
    readonly gunzip: (bytes: Uint8Array, maxBytes: number) => Effect.Effect<Uint8Array, CompressionError>
  }
>()("holdfast/services/Compression") {}

/** No configuration is larger than this when inflated: 32 times the largest default message. */
export const inflatedMaxBytes = 512 * 1024 * 1024

/** Room for the gzip of what is as large as it may be. */
export const deflatedMaxBytes = inflatedMaxBytes + 1_000_000
