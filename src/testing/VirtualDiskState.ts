/**
 * What lies on a virtual disk, twice: as the process sees it, and as it would be found after a power cut. The two differ
 * by the bytes that were not flushed and by the steps (creations, renames, removals, new folders) whose folder was not
 * flushed. Plain data and plain functions; a function that refuses returns Node's code for the reason.
 */
import { posix } from "node:path"

export type Code =
  | "ENOENT"
  | "ENOTDIR"
  | "EISDIR"
  | "ERR_FS_EISDIR"
  | "EEXIST"
  | "ENOTEMPTY"
  | "EPERM"
  | "EFBIG"
  | "ENOSPC"
  | "EBADF"
  | "EROFS"

export interface StoredFile {
  readonly id: number
  mode: number
  /** What a reader gets. */
  bytes: Uint8Array
  /** What the platter has: the same array once everything is flushed. */
  flushed: Uint8Array
  /** So many of the first bytes were flushed and stand there since: what is appended later can't harm them. */
  settledBytes: number
  /** A flush failed: the system thinks the pages clean and will not write them (what `fsync` does on Linux). */
  isForgotten: boolean
  modifiedAtMs: number
  version: number
}

type Entry = StoredFile | "folder"

/** One change of names, whole or not at all. */
interface Step {
  readonly folders: ReadonlyArray<string>
  readonly changes: ReadonlyArray<readonly [path: string, entry: Entry | undefined]>
}

export interface DiskState {
  readonly entries: Map<string, Entry>
  readonly flushedEntries: Map<string, Entry>
  /** In the order in which they were made. */
  pending: Array<Step>
  usedBytes: number
  nextId: number
}

const root = "/"
const nothing = new Uint8Array(0)

export const emptyState = (): DiskState => ({
  entries: new Map<string, Entry>([[root, "folder"]]),
  flushedEntries: new Map<string, Entry>([[root, "folder"]]),
  pending: [],
  usedBytes: 0,
  nextId: 1
})

export const pathOf = (path: string): string => posix.resolve(root, path)

export const folderOf = (path: string): string => posix.dirname(path)

/** A file's bytes are there as long as one name of it is. */
const unname = (state: DiskState, path: string, file: StoredFile): void => {
  const isNamedElsewhere = [...state.entries].some(([other, entry]) => entry === file && other !== path)
  if (!isNamedElsewhere) state.usedBytes -= file.bytes.length
}

/** Puts names on the disk as the process sees it, to be lost until their folders are flushed. */
const change = (state: DiskState, changes: Step["changes"]): void => {
  for (const [path, entry] of changes) entry === undefined ? state.entries.delete(path) : state.entries.set(path, entry)
  const folders = [...new Set(changes.map(([path]) => folderOf(path)))]
  state.pending.push({ folders, changes })
}

export const fileAt = (state: DiskState, path: string): StoredFile | Code => {
  const entry = state.entries.get(path)
  if (entry === "folder") return "EISDIR"
  return entry ?? folderAt(state, folderOf(path)) ?? "ENOENT"
}

/** Why nothing can stand in this folder, if so. */
export const folderAt = (state: DiskState, path: string): Code | undefined => {
  const entry = state.entries.get(path)
  if (entry === "folder") return undefined
  return entry === undefined ? (folderAt(state, folderOf(path)) ?? "ENOENT") : "ENOTDIR"
}

export const namesIn = (state: DiskState, folder: string): ReadonlyArray<string> | Code => {
  const refusal = folderAt(state, folder)
  if (refusal !== undefined) return refusal
  return [...state.entries.keys()]
    .filter((path) => path !== root && folderOf(path) === folder)
    .map((path) => posix.basename(path))
}

export const makeFolder = (state: DiskState, path: string): Code | undefined => {
  const entry = state.entries.get(path)
  if (entry === "folder") return undefined
  if (entry !== undefined) return "EEXIST"
  const refusal = makeFolder(state, folderOf(path))
  if (refusal !== undefined) return refusal === "EEXIST" ? "ENOTDIR" : refusal
  change(state, [[path, "folder"]])
  return undefined
}

export const createFile = (state: DiskState, path: string, mode: number, nowMs: number): StoredFile | Code => {
  const found = fileAt(state, path)
  if (typeof found === "object") {
    state.usedBytes -= found.bytes.length
    return Object.assign(found, { ...touched(found, nowMs), bytes: nothing, settledBytes: 0, mode, isForgotten: false })
  }
  const refusal = found === "ENOENT" ? folderAt(state, folderOf(path)) : found
  if (refusal !== undefined) return refusal
  const file: StoredFile = {
    id: state.nextId++,
    mode,
    bytes: nothing,
    flushed: nothing,
    settledBytes: 0,
    isForgotten: false,
    modifiedAtMs: nowMs,
    version: 0
  }
  change(state, [[path, file]])
  return file
}

const touched = (file: StoredFile, nowMs: number) => ({ modifiedAtMs: nowMs, version: file.version + 1 })

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/** Keeps the array that it is given when it is the whole file: nobody changes bytes after writing them. */
export const append = (state: DiskState, file: StoredFile, bytes: Uint8Array, nowMs: number): void => {
  state.usedBytes += bytes.length
  Object.assign(file, { ...touched(file, nowMs), bytes: joined(file.bytes, bytes) })
}

export const flush = (file: StoredFile): void => {
  if (file.isForgotten) return
  file.flushed = file.bytes
  file.settledBytes = file.bytes.length
}

export const rename = (state: DiskState, from: string, to: string): Code | undefined => {
  const refusal = folderAt(state, folderOf(from)) ?? folderAt(state, folderOf(to))
  if (refusal !== undefined) return refusal
  const file = fileAt(state, from)
  if (typeof file === "string") return file
  const former = fileAt(state, to)
  if (former === "EISDIR") return from.startsWith(`${to}/`) ? "ENOTEMPTY" : "EISDIR"
  if (former === file) return undefined
  if (typeof former === "object") unname(state, to, former)
  change(state, [
    [from, undefined],
    [to, file]
  ])
  return undefined
}

export const remove = (state: DiskState, path: string): Code | undefined => {
  const file = fileAt(state, path)
  if (typeof file === "string") return file === "EISDIR" ? "ERR_FS_EISDIR" : file
  unname(state, path, file)
  change(state, [[path, undefined]])
  return undefined
}

export const link = (state: DiskState, from: string, to: string): Code | undefined => {
  const file = fileAt(state, from)
  // Node's own code for a folder, which has one name only.
  if (typeof file === "string") return file === "EISDIR" ? "EPERM" : file
  const refusal = folderAt(state, folderOf(to))
  if (refusal !== undefined) return refusal
  if (state.entries.has(to)) return "EEXIST"
  change(state, [[to, file]])
  return undefined
}

const settle = (state: DiskState, steps: ReadonlyArray<Step>): void => {
  for (const { changes } of steps) {
    for (const [path, entry] of changes) {
      entry === undefined ? state.flushedEntries.delete(path) : state.flushedEntries.set(path, entry)
    }
  }
}

/**
 * Makes the folder's steps last, and those before them that they build on: a rename between two folders is one step in
 * both, and no step lasts without the former ones of its folders.
 */
export const flushFolder = (state: DiskState, folder: string): Code | undefined => {
  const refusal = folderAt(state, folder)
  if (refusal !== undefined) return refusal
  const needed = new Set([folder])
  const lasting = new Set<Step>()
  for (const step of state.pending.toReversed()) {
    if (!step.folders.some((each) => needed.has(each))) continue
    lasting.add(step)
    for (const each of step.folders) needed.add(each)
  }
  settle(
    state,
    state.pending.filter((step) => lasting.has(step))
  )
  state.pending = state.pending.filter((step) => !lasting.has(step))
  return undefined
}

/** Whatever leads to this path lasts. */
export const flushFoldersAbove = (state: DiskState, path: string): undefined => {
  if (path === root) return
  flushFolder(state, folderOf(path))
  flushFoldersAbove(state, folderOf(path))
}

const copyOf = (entries: ReadonlyMap<string, Entry>, copies: Map<StoredFile, StoredFile>) =>
  new Map([...entries].map(([path, entry]) => [path, copied(entry, copies)] as const))

const copied = (entry: Entry, copies: Map<StoredFile, StoredFile>): Entry => {
  if (entry === "folder") return entry
  const known = copies.get(entry) ?? { ...entry }
  copies.set(entry, known)
  return known
}

/** What a process that was killed leaves behind: everything that it wrote, flushed or not. */
export const afterKill = (state: DiskState): DiskState => {
  const copies = new Map<StoredFile, StoredFile>()
  return {
    ...state,
    entries: copyOf(state.entries, copies),
    flushedEntries: copyOf(state.flushedEntries, copies),
    pending: state.pending.map(({ folders, changes }) => ({
      folders,
      changes: changes.map(([path, entry]) => [path, entry === undefined ? entry : copied(entry, copies)] as const)
    }))
  }
}

/** One of the contents that may be found: the flushed, the written, a part of it, a part of it and zeros to its length. */
const tornContent = ({ flushed, bytes, settledBytes }: StoredFile, random: () => number): Uint8Array => {
  if (flushed === bytes) return bytes
  const kind = Math.floor(random() * 4)
  if (kind === 0) return flushed
  if (kind === 1) return bytes
  const part = bytes.subarray(0, settledBytes + Math.floor(random() * (bytes.length - settledBytes)))
  return kind === 2 ? part : joined(part, new Uint8Array(bytes.length - part.length))
}

/** Of each folder's steps a prefix survives; a step of two folders survives in both or in neither. */
const survivors = (pending: ReadonlyArray<Step>, random: () => number): ReadonlyArray<Step> => {
  const chance = [0, 0.5, 0.9, 1][Math.floor(random() * 4)] ?? 1
  const stopped = new Set<string>()
  return pending.filter(({ folders }) => {
    const survives = random() < chance && !folders.some((folder) => stopped.has(folder))
    if (!survives) for (const folder of folders) stopped.add(folder)
    return survives
  })
}

/** What a power cut leaves behind; `random` gives numbers in [0, 1). */
export const afterPowerCut = (before: DiskState, random: () => number): DiskState => {
  const state = afterKill(before)
  settle(state, survivors(state.pending, random))
  const isReachable = (path: string): boolean =>
    path === root || (state.flushedEntries.get(folderOf(path)) === "folder" && isReachable(folderOf(path)))
  const found = new Map([...state.flushedEntries].filter(([path]) => isReachable(path)))
  let usedBytes = 0
  for (const entry of new Set(found.values())) {
    if (entry === "folder") continue
    const bytes = tornContent(entry, random)
    Object.assign(entry, { bytes, flushed: bytes, settledBytes: bytes.length, isForgotten: false })
    usedBytes += bytes.length
  }
  return { entries: found, flushedEntries: new Map(found), pending: [], usedBytes, nextId: state.nextId }
}
