/**
 * Where a control plane keeps its entities: generic over the entity table, so that one more entity is one more row
 * there. A write is whole or nothing, and a write that returned survives the process being killed.
 */
import { Context, Data, type Effect, type SubscriptionRef } from "effect"
import type { Refusal } from "../../model/AdminErrors.ts"
import type { Entity, Row } from "../../model/Entity.ts"
import type { StoredRows } from "../../model/exportTable.ts"

/** The write is at fault; the same write would be refused again. */
export class WriteRefused extends Data.TaggedError("WriteRefused")<{ readonly refusal: Refusal }> {}

/** The store is at fault: a full disk, a broken file. */
export class StoreFailed extends Data.TaggedError("StoreFailed")<{ readonly cause: unknown }> {
  override get message(): string {
    return `the store failed: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

export type WriteError = WriteRefused | StoreFailed

/** The children of one row, where a request is about those alone: `services/{id}/routes`. */
export interface Parent {
  readonly field: string
  readonly id: string
}

/** Which row: by id or endpoint key, among all or among the children of one row. */
export interface Key {
  readonly entity: Entity
  readonly text: string
  readonly parent?: Parent | undefined
}

export interface PageOptions {
  readonly size: number
  /** Where the page before ended; 0 at the start. */
  readonly after: number
}

export interface TagFilter {
  readonly tags: ReadonlyArray<string>
  readonly ofTags: "all" | "any"
}

export interface ListOptions extends PageOptions, Partial<TagFilter> {
  readonly parent?: Parent | undefined
}

export interface TagOptions extends PageOptions {
  readonly tag: string | undefined
}

export interface Page {
  readonly rows: ReadonlyArray<Row>
  /** Where the next page starts; absent at the end. */
  readonly next: number | undefined
}

/** The rows of every kind as one transaction saw them. */
export interface Export {
  readonly version: number
  readonly rows: StoredRows
}

export class ConfigStore extends Context.Service<
  ConfigStore,
  {
    /** A page of rows, oldest first. */
    readonly list: (entity: Entity, options: ListOptions) => Effect.Effect<Page, StoreFailed>
    /** A page of `{entity_name, entity_id, tag}`: every tag of every row, or one tag's. */
    readonly tags: (options: TagOptions) => Effect.Effect<Page, StoreFailed>
    readonly find: (key: Key) => Effect.Effect<Row | undefined, StoreFailed>
    readonly create: (entity: Entity, input: Row) => Effect.Effect<Row, WriteError>
    /** Creates the row under this key, or replaces what stands there. */
    readonly put: (key: Key, input: Row) => Effect.Effect<{ readonly row: Row; readonly isNew: boolean }, WriteError>
    /** Changes the given fields; `undefined` when there is no such row. */
    readonly patch: (key: Key, input: Row) => Effect.Effect<Row | undefined, WriteError>
    /** Deletes the row and what depends on it; does nothing when there is none. */
    readonly remove: (key: Key) => Effect.Effect<void, WriteError>
    /**
     * Holds these rows from now on and no others, in one transaction; the rows that every configuration carries stay
     * when they are not among them, and so do licences when `rows` has no such kind at all. False when it held the same
     * already. Without `mayEmpty` a configuration of nothing does not replace one of something.
     */
    readonly replaceAll: (
      rows: StoredRows,
      options: { readonly mayEmpty: boolean }
    ) => Effect.Effect<boolean, WriteError>
    readonly export: Effect.Effect<Export, StoreFailed>
    /** Names this life of the process: versions of different epochs say nothing of each other, and epochs sort by when they began. */
    readonly epoch: string
    /** Grows with every committed change. A reader that saw `n` has missed something when this is more than `n`. */
    readonly version: SubscriptionRef.SubscriptionRef<number>
  }
>()("holdfast/services/control/ConfigStore") {}
