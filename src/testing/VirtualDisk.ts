/**
 * Disk in memory, as bad as disks are. What it does to a node, and why the node lives:
 *
 * - *Full* (ENOSPC, after a part of the write), *read-only* (EROFS), *I/O errors* at any call: the former file stands
 *   until the new one is whole, for it is written beside and renamed over; the node serves from memory and tries again.
 * - *A power cut*: what was not flushed is lost, torn or full of zeros; creations, renames and removals are undone but
 *   for a prefix of each folder's, unless the folder was flushed. Survived by the order of `replaceFile`: bytes flushed,
 *   then the rename, then the folder.
 * - *A kill -9*: everything written stays, and the call under way is torn. Survived by the rename: half a file only ever
 *   stands under a name that nobody reads.
 * - *A lost flush* (the device says that it flushed) and *a torn write that nobody was told of*, then a power cut: no
 *   order of calls helps. Survived by digests: the file is refused for what it is, and an older one serves.
 * - *A failed flush* whose pages count as clean afterwards, so that the next flush succeeds without them: survived by
 *   writing the whole file anew instead of flushing again.
 * - *Slow and hanging calls*, on the caller's clock: persisting has a fiber of its own, and serving waits for none.
 * - *Bit rot* in a stored file (`hand.flipBit`): survived by digests, as above.
 *
 * Everything is synchronous and follows from calls, conditions and seeds. Arrays are kept, not copied: nobody changes
 * bytes after writing or reading them. Folders are neither renamed nor removed, for nobody does.
 */
import { Effect, Layer } from "effect"
import { Disk, type OpenFile } from "../services/Disk.ts"
import { type Calls, type DiskConditions, makeCalls } from "./VirtualDiskCalls.ts"
import { randomFrom } from "./VirtualDiskFaults.ts"
import { type Hand, handOf } from "./VirtualDiskHand.ts"
import * as State from "./VirtualDiskState.ts"

export type { DiskConditions } from "./VirtualDiskCalls.ts"
export * from "./VirtualDiskFaults.ts"
export type { Hand } from "./VirtualDiskHand.ts"

export interface Crash {
  /** Whether only the process dies, or the machine loses its power. */
  readonly kind: "process" | "power"
  /** Decides what a power cut leaves. */
  readonly seed: number
}

export interface VirtualDisk {
  readonly disk: Disk["Service"]
  readonly layer: Layer.Layer<Disk>
  /** Takes the place of the former conditions; calls that were stuck run now, those that a fault let hang fail. */
  readonly become: (conditions: DiskConditions) => void
  readonly callCount: () => number
  readonly usedBytes: () => number
  /**
   * The disk, in good condition, as the next process finds it. This one is the ghost's then: its calls fail and change
   * nothing. May be asked again, for another end of the same life.
   */
  readonly crash: (crash: Crash) => VirtualDisk
  readonly hand: Hand
}

const openFile = (
  state: State.DiskState,
  { call, conditions }: Calls,
  path: string,
  file: State.StoredFile
): OpenFile => {
  let isOpen = true
  const whileOpen = (use: () => State.Code | undefined) => (isOpen ? use() : "EBADF")
  return {
    write: (bytes) =>
      call("write", path, (nowMs, part) =>
        whileOpen(() => {
          const room = Math.max(0, (conditions().capacityBytes ?? Number.POSITIVE_INFINITY) - state.usedBytes)
          const wanted = part >= 1 ? bytes : bytes.subarray(0, Math.floor(bytes.length * part))
          const doesFit = wanted.length <= room
          State.append(state, file, doesFit ? wanted : wanted.subarray(0, room), nowMs)
          return doesFit ? undefined : "ENOSPC"
        })
      ),
    sync: call("sync", path, (_, part) =>
      whileOpen(() => {
        if (part >= 1) State.flush(file)
        else file.isForgotten = true
        return undefined
      })
    ),
    close: call("close", path, () => {
      isOpen = false
      return undefined
    })
  }
}

const diskOf = (state: State.DiskState, calls: Calls): Disk["Service"] => {
  const { call, conditions } = calls
  const fileThen = <A extends object>(path: string, use: (file: State.StoredFile) => A | State.Code) => {
    const file = State.fileAt(state, path)
    return typeof file === "string" ? file : use(file)
  }
  return {
    read: (given, maxBytes) => {
      const path = State.pathOf(given)
      return call("read", path, () =>
        fileThen(path, ({ bytes, modifiedAtMs }) => (bytes.length > maxBytes ? "EFBIG" : { bytes, modifiedAtMs }))
      )
    },
    stat: (given) => {
      const path = State.pathOf(given)
      return call("stat", path, () =>
        fileThen(path, ({ id, version, bytes, modifiedAtMs }) => ({
          sizeBytes: bytes.length,
          modifiedAtMs,
          stamp: `${id},${version}`
        }))
      )
    },
    list: (given) => {
      const path = State.pathOf(given)
      return call("list", path, () => State.namesIn(state, path))
    },
    makeFolder: (given) => {
      const path = State.pathOf(given)
      return call("makeFolder", path, () => {
        const { isReadOnly = false, losesFlushes = false } = conditions()
        if (State.folderAt(state, path) === undefined) return undefined
        if (isReadOnly) return "EROFS"
        return State.makeFolder(state, path) ?? (losesFlushes ? undefined : State.flushFoldersAbove(state, path))
      })
    },
    create: (given, mode) => {
      const path = State.pathOf(given)
      const created = call("create", path, (nowMs) => State.createFile(state, path, mode, nowMs))
      return Effect.map(created, (file) => openFile(state, calls, path, file))
    },
    append: (given, mode) => {
      const path = State.pathOf(given)
      const opened = call("append", path, (nowMs) => {
        const found = State.fileAt(state, path)
        return found === "ENOENT" ? State.createFile(state, path, mode, nowMs) : found
      })
      return Effect.map(opened, (file) => openFile(state, calls, path, file))
    },
    rename: (given, to) => {
      const path = State.pathOf(given)
      return call("rename", path, () => State.rename(state, path, State.pathOf(to)))
    },
    link: (given, to) => {
      const path = State.pathOf(given)
      return call("link", path, () => State.link(state, path, State.pathOf(to)))
    },
    remove: (given) => {
      const path = State.pathOf(given)
      return call("remove", path, () => State.remove(state, path))
    },
    syncFolder: (given) => {
      const path = State.pathOf(given)
      return call("syncFolder", path, () => State.flushFolder(state, path))
    }
  }
}

const over = (state: State.DiskState): VirtualDisk => {
  const calls = makeCalls()
  const disk = diskOf(state, calls)
  return {
    disk,
    layer: Layer.succeed(Disk, disk),
    become: calls.become,
    callCount: calls.callCount,
    usedBytes: () => state.usedBytes,
    crash: ({ kind, seed }) => {
      const found = kind === "process" ? State.afterKill(state) : State.afterPowerCut(state, randomFrom(seed))
      calls.end()
      return over(found)
    },
    hand: handOf(state)
  }
}

/** An empty disk in good condition. */
export const make = (): VirtualDisk => over(State.emptyState())
