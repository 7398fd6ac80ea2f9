/** What may go wrong with a call to a virtual disk, and faults drawn from a seed: the same seed, the same faults. */
import type { DiskOperation } from "../services/Disk.ts"

export interface DiskCall {
  /** 1 for the first call since the disk was made or the process started anew. */
  readonly n: number
  readonly operation: DiskOperation
  readonly path: string
}

/** `part` of a write is how much of its bytes arrives, from 0 to 1; any other call happens at 1 and does not below. */
export type DiskFault =
  /** It says so. */
  | { readonly _tag: "Fails"; readonly code: string; readonly part?: number }
  /** It says that all is well: a lost flush, a torn write. Means nothing for other calls. */
  | { readonly _tag: "Loses"; readonly part: number }
  /** It takes its time, which is the clock's. */
  | { readonly _tag: "Slow"; readonly ms: number }
  /** It never returns; fails once the process is gone or the disk's conditions change. */
  | { readonly _tag: "Hangs"; readonly part: number }

export type FaultPlan = (call: DiskCall) => DiskFault | undefined

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** How often each thing happens to a call, from 0 to 1; together at most 1. */
export interface FaultChances {
  readonly fails?: number
  readonly loses?: number
  readonly slow?: number
  readonly hangs?: number
  /** The longest that a slow call takes. */
  readonly slowMaxMs?: number
}

const onlyLooks: ReadonlySet<DiskOperation> = new Set(["read", "stat", "list"])

const codeOf = (operation: DiskOperation, random: () => number): string =>
  onlyLooks.has(operation) || random() < 0.5 ? "EIO" : random() < 0.5 ? "ENOSPC" : "EROFS"

/** Each call has a draw of its own, so that one call more or less changes nothing for the others. */
export const drawnFaults = (seed: number, chances: FaultChances): FaultPlan => {
  const { fails = 0, loses = 0, slow = 0, hangs = 0, slowMaxMs = 2000 } = chances
  return ({ n, operation }) => {
    const random = randomFrom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(n, 0x85ebca6b))
    const what = random()
    const part = random()
    if (what < fails) return { _tag: "Fails", code: codeOf(operation, random), part }
    if (what < fails + loses) return { _tag: "Loses", part }
    if (what < fails + loses + slow) return { _tag: "Slow", ms: Math.round(part * slowMaxMs) }
    if (what < fails + loses + slow + hangs) return { _tag: "Hangs", part: random() < 0.5 ? part : Math.round(part) }
    return undefined
  }
}
