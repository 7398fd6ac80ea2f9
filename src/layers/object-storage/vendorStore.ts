/**
 * What each vendor's store is behind: promises and signals alone, for it runs in a worker that loads as little as it can.
 * One call is one request, and none is sent again: callers do that, and a write that was sent twice could meet itself
 * and take that for a conflict.
 */
import type { Row } from "../../model/Entity.ts"
import type { StorageLocation } from "../../model/StorageLocation.ts"
import type { Expectation, ObjectStoreTrouble, StoredObject } from "../../services/ObjectStore.ts"

/** Names and values as in `process.env`. */
export type StoreEnvironment = Readonly<Record<string, string | undefined>>

export type VendorLocation = Exclude<StorageLocation, { readonly kind: "file" }>

/** Whatever makes a store, as it crosses to a worker. */
export interface VendorOptions {
  readonly location: VendorLocation
  /** `cluster_fallback_export_s3_config`: merged into each PutObject. */
  readonly putObject: Row
  /** How long a connection may take to open. */
  readonly connectMs: number
  /** How long one call may take in all. */
  readonly totalMs: number
}

export interface WrittenObject {
  readonly bytes: Uint8Array
  readonly contentType: string
  readonly expects: Expectation
}

/** Rejects with a `StoreTrouble`, or with whatever the vendor's client throws. */
export interface VendorStore {
  readonly read: (key: string, maxBytes: number, signal: AbortSignal) => Promise<StoredObject | undefined>
  readonly write: (key: string, object: WrittenObject, signal: AbortSignal) => Promise<string>
  /** Of what a vendor's client threw, what it means: the clients agree on nothing. */
  readonly refusalOf: (cause: unknown) => Refusal | undefined
}

/** What a store said, in its own words. */
export interface Refusal {
  readonly status: number | undefined
  /** `NoSuchBucket`, `ConditionNotMet`. */
  readonly code: string | undefined
  readonly message: string
}

/** What a client has where a word of the store's may stand. */
export const wordOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** What was found out already. */
export class StoreTrouble extends Error {
  readonly trouble: ObjectStoreTrouble
  constructor(trouble: ObjectStoreTrouble, message: string) {
    super(message)
    this.trouble = trouble
  }
}

export const below = (prefix: string, key: string): string => (prefix === "" ? key : `${prefix}/${key}`)

export const tooLarge = (maxBytes: number): StoreTrouble =>
  new StoreTrouble("tooLarge", `the object is larger than the ${maxBytes} bytes that are allowed`)
