/** A snapshot: a config table that passed validation, with its provenance. */
import type { ConfigTable } from "./ConfigTable.ts"
import type { Row } from "./Entity.ts"

/** The rungs of the ladder, best first. Peer and object storage join when they are built. */
export type Source = "control_plane" | "disk" | "declarative_file" | "empty"

export const sources: ReadonlyArray<Source> = ["control_plane", "disk", "declarative_file", "empty"]

/** True when `a` may replace `b`: the better rung always replaces the worse, and a rung replaces itself. */
export const isAtLeastAsGood = (a: Source, b: Source): boolean => sources.indexOf(a) <= sources.indexOf(b)

export interface Snapshot {
  /** The table as it came, without provenance: what is cached and hashed. */
  readonly raw: Row
  readonly table: ConfigTable
  /** 32 characters. What the control plane called it, or what we computed. Zeros for an empty configuration. */
  readonly hash: string
  readonly source: Source
  /** When the control plane (or the file) gave it to this node or to the one it was copied from; ms since the epoch. */
  readonly receivedAtMs: number
  readonly notServed: ReadonlyArray<string>
}

export const zeroHash = "0".repeat(32)
