/** Disk by `node:fs`. */
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { Effect, Layer } from "effect"
import { codeOf, messageOf } from "../model/thrown.ts"
import { Disk, DiskError, type DiskOperation, type FileContent, type OpenFile } from "../services/Disk.ts"

const attempt = <A>(operation: DiskOperation, path: string, run: () => Promise<A>): Effect.Effect<A, DiskError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new DiskError({ operation, path, code: codeOf(cause) ?? "unknown", message: messageOf(cause) })
  })

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

const create = (path: string, mode: number): Effect.Effect<OpenFile, DiskError> =>
  Effect.map(
    attempt("create", path, () => openFor(path, mode)),
    (handle): OpenFile => ({
      write: (bytes) => attempt("write", path, () => handle.appendFile(bytes)),
      sync: attempt("sync", path, () => handle.sync()),
      close: attempt("close", path, () => handle.close())
    })
  )

export const layer: Layer.Layer<Disk> = Layer.succeed(Disk, {
  read: (path, maxBytes) => attempt("read", path, () => readWhole(path, maxBytes)),
  stat: (path) => attempt("stat", path, () => factsOf(path)),
  list: (folder) => attempt("list", folder, () => readdir(folder)),
  makeFolder: (folder) => attempt("makeFolder", folder, () => makeFolder(folder)),
  create,
  rename: (from, to) => attempt("rename", from, () => rename(from, to)),
  link: (from, to) => attempt("link", from, () => link(from, to)),
  remove: (path) => attempt("remove", path, () => rm(path)),
  syncFolder: (folder) => attempt("syncFolder", folder, () => syncFolder(folder))
})
