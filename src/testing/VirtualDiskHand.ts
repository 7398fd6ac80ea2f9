/** What somebody else does to a virtual disk, a person or decay: no faults, and for good. */
import * as State from "./VirtualDiskState.ts"

export interface Hand {
  readonly read: (path: string) => Uint8Array | undefined
  /** Makes the folders above it, too. */
  readonly write: (path: string, bytes: Uint8Array, mode?: number) => void
  readonly remove: (path: string) => void
  readonly list: (folder: string) => ReadonlyArray<string>
  /** Of all files, sorted. */
  readonly paths: () => ReadonlyArray<string>
  readonly modeOf: (path: string) => number | undefined
  /** One bit of the stored bytes turns; `at` is its place, from 0 to 1. */
  readonly flipBit: (path: string, at: number) => void
}

export const handOf = (state: State.DiskState): Hand => {
  const fileAt = (path: string) => {
    const file = State.fileAt(state, State.pathOf(path))
    return typeof file === "string" ? undefined : file
  }

  return {
    read: (path) => fileAt(path)?.bytes,
    write: (given, bytes, mode = 0o600) => {
      const path = State.pathOf(given)
      State.makeFolder(state, State.folderOf(path))
      const file = State.createFile(state, path, mode, fileAt(path)?.modifiedAtMs ?? 0)
      if (typeof file === "string") throw new Error(`${file}: ${path}`)
      State.append(state, file, bytes, file.modifiedAtMs)
      State.flush(file)
      State.flushFoldersAbove(state, path)
    },
    remove: (given) => {
      const path = State.pathOf(given)
      State.remove(state, path)
      State.flushFoldersAbove(state, path)
    },
    list: (folder) => {
      const names = State.namesIn(state, State.pathOf(folder))
      return typeof names === "string" ? [] : names
    },
    paths: () => [...state.entries].flatMap(([path, entry]) => (entry === "folder" ? [] : [path])).sort(),
    modeOf: (path) => fileAt(path)?.mode,
    flipBit: (path, at) => {
      const file = fileAt(path)
      if (file === undefined || file.bytes.length === 0) return
      // A Buffer's own slice would be a view, and turn the bit for whoever else holds these bytes.
      const bytes = new Uint8Array(file.bytes)
      const bit = Math.min(bytes.length * 8 - 1, Math.floor(at * bytes.length * 8))
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      Object.assign(file, { bytes, flushed: bytes, settledBytes: bytes.length })
    }
  }
}
