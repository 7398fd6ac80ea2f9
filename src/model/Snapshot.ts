/** A snapshot: a config table that passed validation, with its provenance. */
import type { Attestation } from "./ConfigStatement.ts"
import type { ConfigTable } from "./ConfigTable.ts"
import type { Row } from "./Entity.ts"

/** The rungs of the ladder, best first unless a setting says otherwise. */
export const rungSources = ["control_plane", "disk", "peer", "object_storage", "declarative_file"] as const

export type RungSource = (typeof rungSources)[number]

/** Below the last rung is the ground: the empty configuration. */
export type Source = RungSource | "empty"

/** Where one stands among those of its control plane; absent where the protocol tells none. */
export interface Version {
  /** Names one count: sequences of different epochs say nothing of each other. */
  readonly epoch?: string
  readonly sequence?: number
}

/** What a configuration came with, beside its number. */
export interface Provenance extends Version {
  /** When its control plane, or a person, gave it out, by their clock; ms since the epoch. */
  readonly issuedAtMs?: number
  /** Who vouches for it, as far as anybody does. */
  readonly attestation?: Attestation
  /** A person made it, and no control plane gave it: it is for the node where they put it, and never handed on. */
  readonly isByHand?: true
}

export const provenanceOf = ({ epoch, sequence, issuedAtMs, attestation, isByHand }: Provenance): Provenance => ({
  ...(epoch === undefined ? {} : { epoch }),
  ...(sequence === undefined ? {} : { sequence }),
  ...(issuedAtMs === undefined ? {} : { issuedAtMs }),
  ...(attestation === undefined ? {} : { attestation }),
  ...(isByHand === undefined ? {} : { isByHand })
})

export interface Snapshot extends Provenance {
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
