/** Compression by Node's zlib, on its thread pool. */
import { promisify } from "node:util"
import { gunzip, gzip } from "node:zlib"
import { Effect, Layer } from "effect"
import { codeOf, isShortOfMemory, messageOf } from "../model/thrown.ts"
import { Compression, CompressionError } from "../services/Compression.ts"

const gzipBytes = promisify(gzip)
const gunzipBytes = promisify<Uint8Array, { readonly maxOutputLength: number }, Buffer>(gunzip)

const describe = (cause: unknown, maxBytes: number): CompressionError => {
  if (codeOf(cause) === "ERR_BUFFER_TOO_LARGE")
    return new CompressionError({ reason: "tooLarge", message: `expected at most ${maxBytes} bytes when inflated` })
  if (isShortOfMemory(cause)) return new CompressionError({ reason: "noMemory", message: messageOf(cause) })
  return new CompressionError({ reason: "notGzip", message: `expected gzip (${messageOf(cause)})` })
}

export const layer: Layer.Layer<Compression> = Layer.succeed(Compression, {
  gzip: (bytes) => Effect.promise(() => gzipBytes(bytes)),
  gunzip: (bytes, maxBytes) =>
    Effect.tryPromise({
      try: () => gunzipBytes(bytes, { maxOutputLength: maxBytes }),
      catch: (cause) => describe(cause, maxBytes)
    })
})
