/**
 * Disk by `node:fs`, whose calls run on a pool of threads that they share with gzip, the system's resolver and more. A
 * call that a dead disk never answers keeps its thread for good, so that only a part of the pool is for files: two calls
 * at a time in one folder, for one dead disk must not hide another, and a quarter of the threads in all.
 */
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { Effect, Layer } from "effect"
import { codeOf, messageOf } from "../model/thrown.ts"
import { Disk, DiskError, type DiskOperation, type FileContent, type OpenFile } from "../services/Disk.ts"
import { type LaneWork, makeLanes } from "../services/lanes.ts"

const callsPerFolder = 2

/** What libuv makes of it; 4 when nothing is said. */
const threadsOf = (said: string | undefined): number => Math.max(1, Number.parseInt(said ?? "4", 10) || 1)

/** With the 4 threads that a process has by default 2, with the 16 that the daemon asks for 4. */
const callsInAll = (threads: number): number => Math.max(2, Math.floor(threads / 4))

const tooLarge = (path: string, maxBytes: number): Error =>
  Object.assign(new Error(`EFBIG: expected at most ${maxBytes} bytes, read '${path}'`), { code: "EFBIG" })

const withHandle = async <A>(path: string, use: (handle: FileHandle) => Promise<A>): Promise<A> => {
  const handle = await open(path, "r")
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}

/** Size, time and bytes of one and the same file, whoever renames another one over it meanwhile. */
const readWhole = (path: string, maxBytes: number): Promise<FileContent> =>
  withHandle(path, async (handle) => {
    const { size, mtimeMs } = await handle.stat()
    if (size > maxBytes) throw tooLarge(path, maxBytes)
    const bytes = await handle.readFile()
    if (bytes.length > maxBytes) throw tooLarge(path, maxBytes)
    return { bytes, modifiedAtMs: Math.round(mtimeMs) }
  })

const factsOf = async (path: string) => {
  const { dev, ino, size, mtimeMs, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return {
    sizeBytes: Number(size),
    modifiedAtMs: Number(mtimeMs),
    stamp: [dev, ino, size, mtimeNs, ctimeNs].join()
  }
}

const openFor = async (path: string, mode: number): Promise<FileHandle> => {
  const handle = await open(path, "w", mode)
  try {
    // A file left over from a crash keeps the mode that it was made with.
    await handle.chmod(mode)
    return handle
  } catch (cause) {
    await handle.close()
    throw cause
  }
}

const syncFolder = (folder: string): Promise<void> => withHandle(folder, (handle) => handle.sync())

/** A new folder's name stands in the folder above it, which is flushed for it: as far up as folders were made. */
const makeFolder = async (folder: string): Promise<void> => {
  const firstMade = await mkdir(folder, { recursive: true })
  if (firstMade === undefined) return
  const above = dirname(resolve(firstMade))
  for (let made = resolve(folder); made !== above; made = dirname(made)) await syncFolder(dirname(made))
}

const make = (threads: number): Disk["Service"] => {
  const inLane = makeLanes({ perLane: callsPerFolder, inAll: callsInAll(threads) })

  const attempt = <A>(
    lane: string,
    call: { readonly operation: DiskOperation; readonly path: string },
    work: LaneWork<A>
  ): Effect.Effect<A, DiskError> =>
    Effect.mapError(
      inLane(resolve(lane), work),
      (cause) => new DiskError({ ...call, code: codeOf(cause) ?? "unknown", message: messageOf(cause) })
    )

  const ofFile = <A>(operation: DiskOperation, path: string, start: () => Promise<A>) =>
    attempt(dirname(path), { operation, path }, { start })

  const ofFolder = <A>(operation: DiskOperation, path: string, start: () => Promise<A>) =>
    attempt(path, { operation, path }, { start })

  /** A file that is open at last, when nobody waits for it any more, is closed. */
  const opened = (operation: DiskOperation, path: string, start: () => Promise<FileHandle>) =>
    Effect.map(attempt(dirname(path), { operation, path }, { start, discard: (handle) => handle.close() }), (handle) =>
      openFile(path, handle)
    )

  const openFile = (path: string, handle: FileHandle): OpenFile => ({
    write: (bytes) => ofFile("write", path, () => handle.appendFile(bytes)),
    sync: ofFile("sync", path, () => handle.sync()),
    close: ofFile("close", path, () => handle.close())
  })

  return {
    read: (path, maxBytes) => ofFile("read", path, () => readWhole(path, maxBytes)),
    stat: (path) => ofFile("stat", path, () => factsOf(path)),
    list: (folder) => ofFolder("list", folder, () => readdir(folder)),
    makeFolder: (folder) => ofFolder("makeFolder", folder, () => makeFolder(folder)),
    create: (path, mode) => opened("create", path, () => openFor(path, mode)),
    append: (path, mode) => opened("append", path, () => open(path, "a", mode)),
    rename: (from, to) => ofFile("rename", from, () => rename(from, to)),
    link: (from, to) => ofFile("link", from, () => link(from, to)),
    remove: (path) => ofFile("remove", path, () => rm(path)),
    syncFolder: (folder) => ofFolder("syncFolder", folder, () => syncFolder(folder))
  }
}

export const layer: Layer.Layer<Disk> = Layer.sync(Disk, () => make(threadsOf(process.env.UV_THREADPOOL_SIZE)))
