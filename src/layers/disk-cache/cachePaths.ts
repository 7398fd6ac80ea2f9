/** What stands where in the prefix. Older configurations and refused files are numbered: the larger, the newer. */
import { join } from "node:path"

export const ownerOnly = 0o600

export interface CachePaths {
  readonly prefix: string
  /** The last configuration that was sent. */
  readonly current: string
  /** What Kong 2.x called it; read when the first is missing. */
  readonly former: string
  /** Those before the last one. */
  readonly generations: string
  /** What was refused, each file with its reasons. */
  readonly quarantine: string
  /** The newest licence of them all. */
  readonly license: string
}

export const cachePathsIn = (prefix: string): CachePaths => ({
  prefix,
  current: join(prefix, "config.json.gz"),
  former: join(prefix, "config.cache.json.gz"),
  generations: join(prefix, "generations"),
  quarantine: join(prefix, "quarantine"),
  license: join(prefix, "license.kept")
})

export const numbered = (number: number): string => String(number).padStart(6, "0")

/** The number that a name begins with; a name that begins with none is nobody's of ours. */
export const numberOf = (name: string): number | undefined => {
  const digits = /^\d{6,15}(?=[-.])/.exec(name)?.[0]
  return digits === undefined ? undefined : Number(digits)
}

export const nextNumber = (names: ReadonlyArray<string>): number =>
  Math.max(0, ...names.map((n) => numberOf(n) ?? 0)) + 1
