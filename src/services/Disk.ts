/**
 * The file system, one call at a time: what a torn write, a full disk, a lost flush or a `kill -9` between two calls
 * does is decided here, so that tests and the simulator can stand in for it. Nothing above asks `node:fs` itself.
 */
import { dirname } from "node:path"
import { Context, Data, Effect } from "effect"

export type DiskOperation =
  | "read"
  | "stat"
  | "list"
  | "makeFolder"
  | "create"
  | "append"
  | "write"
  | "sync"
  | "close"
  | "rename"
  | "link"
  | "remove"
  | "syncFolder"

/** One call failed; what earlier calls did stands. */
export class DiskError extends Data.TaggedError("DiskError")<{
  readonly operation: DiskOperation
  readonly path: string
  /** Node's own name for it: `ENOENT`, `ENOSPC`, `EIO`, `EROFS`, …; `EFBIG` when a file is larger than was allowed. */
  readonly code: string
  readonly message: string
}> {}

export interface FileContent {
  readonly bytes: Uint8Array
  readonly modifiedAtMs: number
}

export interface FileFacts {
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /** Differs when anything was done to the file, however it was done. */
  readonly stamp: string
}

/** A file that is open for writing. */
export interface OpenFile {
  /** Appends. A failure may leave any part of the bytes written. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, DiskError>
  /** What was written survives a power cut once this returns. */
  readonly sync: Effect.Effect<void, DiskError>
  readonly close: Effect.Effect<void, DiskError>
}

export class Disk extends Context.Service<
  Disk,
  {
    /** The whole file, unless it is larger than `maxBytes`: then `EFBIG`, and nothing was read. */
    readonly read: (path: string, maxBytes: number) => Effect.Effect<FileContent, DiskError>
    readonly stat: (path: string) => Effect.Effect<FileFacts, DiskError>
    /** Names, not paths, in no order that means anything. */
    readonly list: (folder: string) => Effect.Effect<ReadonlyArray<string>, DiskError>
    /** With all folders above it; no error when it is there. What had to be made survives a power cut. */
    readonly makeFolder: (folder: string) => Effect.Effect<void, DiskError>
    /** Empty and with this mode, whether it was there before or not. */
    readonly create: (path: string, mode: number) => Effect.Effect<OpenFile, DiskError>
    /** Behind what it holds; made with this mode where there is none. For logs, which others may move away meanwhile. */
    readonly append: (path: string, mode: number) => Effect.Effect<OpenFile, DiskError>
    /** One step for whoever looks: the former file under `to`, or the new one. */
    readonly rename: (from: string, to: string) => Effect.Effect<void, DiskError>
    /** A second name for the same file; `EEXIST` when `to` is there. Where the file system has no such thing it fails, and the caller copies. */
    readonly link: (from: string, to: string) => Effect.Effect<void, DiskError>
    readonly remove: (path: string) => Effect.Effect<void, DiskError>
    /** Renames and removals in the folder survive a power cut once this returns. */
    readonly syncFolder: (folder: string) => Effect.Effect<void, DiskError>
  }
>()("holdfast/services/Disk") {}

/** Where a new file stands until it is whole. */
export const besideOf = (path: string): string => `${path}.new`

export interface NewFile {
  readonly path: string
  readonly bytes: Uint8Array
  readonly mode: number
  /** Where it stands until it is whole, if not at `besideOf(path)`: two processes must not share one. */
  readonly beside?: string
}

/**
 * Writes beside, flushes, renames over, flushes the folder: whenever the machine stops, the file is the former or the
 * new one, whole. After success it is the new one for good. `beforeRename` runs while the former one still stands.
 * What failed takes its part away again, for that may hold the last bytes of a full disk.
 */
export const replaceFile = Effect.fnUntraced(function* (
  disk: Disk["Service"],
  file: NewFile,
  beforeRename: Effect.Effect<void> = Effect.void
): Effect.fn.Return<void, DiskError> {
  const folder = dirname(file.path)
  yield* disk.makeFolder(folder)
  const beside = file.beside ?? besideOf(file.path)
  yield* Effect.acquireUseRelease(
    disk.create(beside, file.mode),
    (open) => Effect.andThen(open.write(file.bytes), open.sync),
    (open) => Effect.ignore(open.close)
  ).pipe(
    Effect.andThen(beforeRename),
    Effect.andThen(disk.rename(beside, file.path)),
    Effect.tapError(() => Effect.ignore(disk.remove(beside)))
  )
  yield* disk.syncFolder(folder)
})
