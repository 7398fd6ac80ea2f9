/**
 * Work that many nodes of one world would do on the very same bytes, done once: inflating, decoding, validating, compiling.
 * What is shared is named here, and nothing else is:
 *
 * - `Compression.gunzip`, by the content of what is inflated; `gzip`, for the part that is the same (`SharedGzip.ts`);
 * - the functions of `ConfigCodec`: by the identity of the bytes, which the former makes one for all, and by a table's JSON;
 * - `Router.compile`, by the identity of the validated table;
 * - the last two of them also by the identity of the plugins that a node serves.
 *
 * All of them are pure functions of their input, so that a node can't tell. One thing it could: a compiled config's balancers
 * count their turns, and nodes that share one share the counting. No traffic runs through the nodes of a simulation.
 */
import { createHash } from "node:crypto"
import { gunzipSync } from "node:zlib"
import { Effect, Layer } from "effect"
import type { Row } from "../model/Entity.ts"
import { codeOf, messageOf } from "../model/thrown.ts"
import { type Compression, CompressionError } from "../services/Compression.ts"
import { ConfigCodec } from "../services/ConfigCodec.ts"
import { Router } from "../services/Router.ts"
import { makeSharedGzip } from "./SharedGzip.ts"

/** Remembers by identity; what nobody holds any more is forgotten. */
const byIdentity = <I extends object, O>(work: (input: I) => O): ((input: I) => O) => {
  const known = new WeakMap<I, { readonly output: O }>()
  return (input) => {
    const found = known.get(input)
    if (found !== undefined) return found.output
    const output = work(input)
    known.set(input, { output })
    return output
  }
}

/** The same of work that depends on the plugins as well. */
const byIdentities = <I extends object, P extends object, O>(work: (input: I, plugins: P) => O) => {
  const of = byIdentity((plugins: P) => byIdentity((input: I) => work(input, plugins)))
  return (input: I, plugins: P): O => of(plugins)(input)
}

/** A world pushes few configurations at a time; whatever is older is worked out again. */
const contentsMax = 64

/** Keeps what was used last. */
const keepNewest = <A>(known: Map<string, A>, name: string, made: A): A => {
  known.delete(name)
  if (known.size >= contentsMax) known.delete(known.keys().next().value ?? "")
  known.set(name, made)
  return made
}

/**
 * Of equal tables the one that was met first. Each node reads a file of its own from its disk after a restart, with the
 * same table in it; its JSON is cheaper made than the table is validated.
 */
const makeFirstOfEqual = (): ((table: object) => object) => {
  const byText = new Map<string, object>()
  return byIdentity((table: object) => {
    const text = JSON.stringify(table)
    return keepNewest(byText, text, byText.get(text) ?? table)
  })
}

type Inflated = { readonly bytes: Uint8Array } | { readonly error: CompressionError }
type Gunzip = (bytes: Uint8Array, maxBytes: number) => Inflated

const inflate = (bytes: Uint8Array, maxBytes: number): Inflated => {
  try {
    return { bytes: gunzipSync(bytes, { maxOutputLength: maxBytes }) }
  } catch (cause) {
    return {
      error:
        codeOf(cause) === "ERR_BUFFER_TOO_LARGE"
          ? new CompressionError({ reason: "tooLarge", message: `expected at most ${maxBytes} bytes when inflated` })
          : new CompressionError({ reason: "notGzip", message: `expected gzip (${messageOf(cause)})` })
    }
  }
}

const makeGunzip = (): Gunzip => {
  const byObject = new WeakMap<Uint8Array, { readonly maxBytes: number; readonly inflated: Inflated }>()
  const byContent = new Map<string, Inflated>()
  const inflateOnce = (bytes: Uint8Array, maxBytes: number): Inflated => {
    const name = `${maxBytes} ${createHash("sha256").update(bytes).digest("base64")}`
    const known = byContent.get(name)
    if (known !== undefined) return known
    return keepNewest(byContent, name, inflate(bytes, maxBytes))
  }
  return (bytes, maxBytes) => {
    const known = byObject.get(bytes)
    if (known?.maxBytes === maxBytes) return known.inflated
    const inflated = inflateOnce(bytes, maxBytes)
    byObject.set(bytes, { maxBytes, inflated })
    return inflated
  }
}

export interface SharedWork {
  /** Synchronous, and as long as it is told to take in virtual time. */
  readonly compression: Compression["Service"]
  /** The given router's work, shared. */
  readonly shareRouter: <E, R>(router: Layer.Layer<Router, E, R>) => Layer.Layer<Router, E, R>
  readonly codec: ConfigCodec
}

export const makeSharedWork = ({ compressionMs = 0 }: { readonly compressionMs?: number } = {}): SharedWork => {
  const gunzip = makeGunzip()
  const gzip = makeSharedGzip()
  const codec = ConfigCodec.defaultValue()
  const firstOf = makeFirstOfEqual()
  const decodeReconfigure = byIdentity(codec.decodeReconfigure)
  const decodeTable = byIdentities(codec.decodeTable)
  const describeTable = byIdentity(codec.describeTable)
  const isObject = (input: unknown): input is object => typeof input === "object" && input !== null
  const taking = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    compressionMs === 0 ? work : Effect.delay(work, compressionMs)

  const shareCompile = byIdentity((compile: Router["Service"]["compile"]) => byIdentities(compile))
  return {
    compression: {
      gzip: (bytes) => taking(Effect.sync(() => gzip(bytes))),
      gunzip: (bytes, maxBytes) =>
        taking(
          Effect.suspend(() => {
            const inflated = gunzip(bytes, maxBytes)
            return "error" in inflated ? Effect.fail(inflated.error) : Effect.succeed(inflated.bytes)
          })
        )
    },
    shareRouter: (router) =>
      Layer.effect(
        Router,
        Effect.map(Router, ({ compile }) => Router.of({ compile: shareCompile(compile) }))
      ).pipe(Layer.provide(router)),
    codec: {
      decodeReconfigure,
      describeTable: (raw) => describeTable(firstOf(raw) as Row),
      decodeTable: (input, plugins) =>
        isObject(input) ? decodeTable(firstOf(input), plugins) : codec.decodeTable(input, plugins)
    }
  }
}
