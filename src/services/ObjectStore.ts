/**
 * A place for whole objects that several nodes share: a bucket, a container, a folder (reference `resilience.md` §5). What
 * is read is what some write put there, whole; what is written is there for every later read. Everybody may write at any
 * time, so a write says what it expects to find, and the store refuses it otherwise.
 *
 * Whatever conforms passes `test/conformance/objectStore.ts`.
 */
import { Context, Data, type Effect } from "effect"

/** Why something could not be read or written. */
export type ObjectStoreTrouble =
  /** What was expected to be there is not what is there: somebody else was quicker. */
  | "conflict"
  /** The store knows us and says no, or does not know us: credentials, permissions, a clock that is wrong. */
  | "denied"
  /** No such bucket or container, no such account, no credentials at all: a person has to mend it. */
  | "misconfigured"
  /** It can't do what was asked, such as a conditional write. */
  | "unsupported"
  /** Larger than whoever reads it allows. */
  | "tooLarge"
  /** Passing, as far as anybody can tell: no connection, no answer in time, 5xx, too many requests, half an answer. */
  | "unavailable"

/** The message is for people, names the store's own words (`403 AccessDenied`), and holds no secret. */
export class ObjectStoreError extends Data.TaggedError("ObjectStoreError")<{
  readonly trouble: ObjectStoreTrouble
  readonly operation: "read" | "write"
  readonly key: string
  readonly message: string
}> {}

export interface StoredObject {
  readonly bytes: Uint8Array
  /** What the store calls this state of the object: an ETag, a generation. No two different contents have the same. */
  readonly tag: string
}

/** What a write expects to find under the key. */
export type Expectation =
  /** Whatever: for a store that can't say no, where there is one writer. */
  | { readonly _tag: "Anything" }
  | { readonly _tag: "Nothing" }
  /** What was read under this tag. */
  | { readonly _tag: "Unchanged"; readonly tag: string }

export interface ObjectStore {
  /** For people: `s3://bucket/prefix`. Keys are below it, parts joined by slashes. */
  readonly place: string
  /** The whole object, or `undefined` when there is none under this key. */
  readonly read: (key: string, maxBytes: number) => Effect.Effect<StoredObject | undefined, ObjectStoreError>
  /** Ends with the tag of what was written. A failure other than a conflict may have written all of it, never a part. */
  readonly write: (
    key: string,
    object: {
      readonly bytes: Uint8Array
      /** `application/json`, `application/gzip`. */
      readonly contentType: string
      readonly expects: Expectation
    }
  ) => Effect.Effect<string, ObjectStoreError>
}

/** The store of `cluster_fallback_config_storage`; `undefined` where no setting asks for one. */
export class ConfigStorage extends Context.Service<ConfigStorage, ObjectStore | undefined>()(
  "holdfast/services/ConfigStorage"
) {}
