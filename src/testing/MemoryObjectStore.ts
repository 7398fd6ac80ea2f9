/**
 * ObjectStore in memory: one bucket that many clients share, as bad as buckets are. What it does to its clients, and why
 * none of them is led astray:
 *
 * - *Denied, misconfigured, unavailable*: nothing was done, and the error says why.
 * - *Slow*, on the caller's clock, before or after the deed: whoever is interrupted meanwhile may have written.
 * - *A lost answer*: the write is done and its author is told `unavailable`. Survived by reading again before writing again.
 * - *A lie*: other bytes than were written, or an older state. Survived by digests and by sequence numbers.
 * - *Conditions that are ignored or refused*: there are stores that know none.
 *
 * Every deed is one synchronous step, so who wins follows from the order of calls and the clock alone.
 */
import { createHash } from "node:crypto"
import { Effect, Layer } from "effect"
import {
  ConfigStorage,
  type Expectation,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreTrouble,
  type StoredObject
} from "../services/ObjectStore.ts"

export interface StoreCall {
  /** Counts all calls of all clients, from 1. */
  readonly n: number
  readonly client: string
  readonly operation: "read" | "write"
  /** Below the bucket: prefix and key. */
  readonly path: string
}

export type StoreFault =
  /** Nothing is done. */
  | { readonly _tag: "Fails"; readonly trouble: ObjectStoreTrouble }
  | { readonly _tag: "Slow"; readonly beforeMs: number; readonly afterMs?: number }
  /** The deed is done, and its author is told `unavailable`. */
  | { readonly _tag: "LosesAnswer" }
  /** What a read finds is not what lies there; a write is done as ever. */
  | { readonly _tag: "Lies"; readonly as: (bytes: Uint8Array) => Uint8Array }
  /** A read finds what lay there before the last write, if anything; a write is done as ever. */
  | { readonly _tag: "Stale" }

export interface StoreConditions {
  readonly faultOf?: (call: StoreCall) => StoreFault | undefined
  /** What becomes of a write that expects something. Default: `honoured`. */
  readonly expectations?: "honoured" | "ignored" | "refused"
}

/** What lies in the bucket, past all faults. */
export interface StoreHand {
  readonly get: (path: string) => Uint8Array | undefined
  readonly put: (path: string, bytes: Uint8Array) => void
  readonly remove: (path: string) => void
  readonly paths: () => ReadonlyArray<string>
}

export interface MemoryObjectStore {
  readonly client: (options?: { readonly name?: string; readonly prefix?: string }) => ObjectStore
  /** Takes the place of the former conditions, for calls that begin from now on. */
  readonly become: (conditions: StoreConditions) => void
  readonly calls: () => ReadonlyArray<StoreCall>
  readonly hand: StoreHand
}

interface Entry {
  readonly now: StoredObject | undefined
  readonly before: StoredObject | undefined
}

type Write = Parameters<ObjectStore["write"]>[1]

const words: Readonly<Record<ObjectStoreTrouble, string>> = {
  conflict: "412 PreconditionFailed",
  denied: "403 AccessDenied",
  misconfigured: "404 NoSuchBucket",
  unsupported: "501 NotImplemented",
  tooLarge: "the object is larger than is allowed",
  unavailable: "503 SlowDown"
}

const isAsExpected = (expects: Expectation, found: StoredObject | undefined): boolean => {
  if (expects._tag === "Anything") return true
  return expects._tag === "Nothing" ? found === undefined : found?.tag === expects.tag
}

/** A digest of the content, as the ETag of S3 and the tag of a folder are; or a number, as a generation is. */
export type Tags = "content" | "generation"

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const makeBucket = (tagged: Tags) => {
  const entries = new Map<string, Entry>()
  let tags = 0
  const at = (path: string): Entry => entries.get(path) ?? { now: undefined, before: undefined }
  const become = (path: string, now: StoredObject | undefined) => entries.set(path, { now, before: at(path).now })
  const put = (path: string, bytes: Uint8Array): string => {
    const tag = tagged === "content" ? digestOf(bytes) : `"${++tags}"`
    become(path, { bytes: bytes.slice(), tag })
    return tag
  }
  const paths = () => [...entries].filter(([, { now }]) => now !== undefined).map(([path]) => path)
  return { at, put, remove: (path: string) => become(path, undefined), paths }
}

const befall = (
  fault: StoreFault | undefined,
  fails: (trouble: ObjectStoreTrouble) => Effect.Effect<never, ObjectStoreError>
) => {
  const before = fault?._tag === "Slow" ? Effect.sleep(fault.beforeMs) : Effect.void
  const afterMs = fault?._tag === "Slow" ? (fault.afterMs ?? 0) : 0
  return <A>(deed: Effect.Effect<A, ObjectStoreError>): Effect.Effect<A, ObjectStoreError> => {
    if (fault?._tag === "Fails") return fails(fault.trouble)
    const done = fault?._tag === "LosesAnswer" ? Effect.andThen(deed, fails("unavailable")) : deed
    return Effect.andThen(before, afterMs > 0 ? Effect.tap(done, Effect.sleep(afterMs)) : done)
  }
}

const seenAs = (fault: StoreFault | undefined, { now, before }: Entry): StoredObject | undefined => {
  if (fault?._tag === "Stale") return before
  if (now === undefined) return undefined
  return { tag: now.tag, bytes: fault?._tag === "Lies" ? fault.as(now.bytes.slice()) : now.bytes.slice() }
}

/** An empty bucket in good condition. */
export const make = ({ tags = "generation" }: { readonly tags?: Tags } = {}): MemoryObjectStore => {
  const bucket = makeBucket(tags)
  const calls: Array<StoreCall> = []
  let conditions: StoreConditions = {}

  const client: MemoryObjectStore["client"] = ({ name = "client", prefix = "" } = {}) => {
    const call = <A>(
      operation: StoreCall["operation"],
      key: string,
      deed: (
        path: string,
        fails: (trouble: ObjectStoreTrouble) => Effect.Effect<never, ObjectStoreError>,
        fault: StoreFault | undefined
      ) => Effect.Effect<A, ObjectStoreError>
    ): Effect.Effect<A, ObjectStoreError> =>
      Effect.suspend(() => {
        const path = prefix === "" ? key : `${prefix}/${key}`
        const entry = { n: calls.length + 1, client: name, operation, path }
        calls.push(entry)
        const fault = conditions.faultOf?.(entry)
        const fails = (trouble: ObjectStoreTrouble) =>
          Effect.fail(new ObjectStoreError({ trouble, operation, key, message: words[trouble] }))
        return befall(fault, fails)(Effect.suspend(() => deed(path, fails, fault)))
      })

    const write = (path: string, { bytes, expects }: Write): string | ObjectStoreTrouble => {
      const { expectations = "honoured" } = conditions
      if (expects._tag !== "Anything" && expectations === "refused") return "unsupported"
      const isRight = expectations === "ignored" || isAsExpected(expects, bucket.at(path).now)
      return isRight ? bucket.put(path, bytes) : "conflict"
    }

    return {
      place: prefix === "" ? "memory://bucket" : `memory://bucket/${prefix}`,
      read: (key, maxBytes) =>
        call("read", key, (path, fails, fault) => {
          const found = seenAs(fault, bucket.at(path))
          return (found?.bytes.length ?? 0) > maxBytes ? fails("tooLarge") : Effect.succeed(found)
        }),
      write: (key, object) =>
        call("write", key, (path, fails) => {
          const outcome = write(path, object)
          return outcome === "conflict" || outcome === "unsupported" ? fails(outcome) : Effect.succeed(outcome)
        })
    }
  }

  return {
    client,
    become: (next) => {
      conditions = next
    },
    calls: () => calls,
    hand: {
      get: (path) => bucket.at(path).now?.bytes.slice(),
      put: (path, bytes) => void bucket.put(path, bytes),
      remove: (path) => void bucket.remove(path),
      paths: bucket.paths
    }
  }
}

/** One node's way to a bucket, as a part of it. */
export const layerOf = (store: ObjectStore | undefined): Layer.Layer<ConfigStorage> =>
  Layer.succeed(ConfigStorage, store)
