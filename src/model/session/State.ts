/**
 * What the session machine knows. Two regions that go on side by side: the link to the control plane, of which there is
 * one at most, and the intake of configurations, which outlives every link (`hybrid-protocol-v1.md` §6).
 *
 * All times are monotonic milliseconds: no wall clock takes part.
 */

import type { Fault } from "../Fault.ts"

/** Why a dial failed or a session ended. */
export interface EndFacts {
  readonly reason: "dialFailed" | "refused" | "closed" | "broken" | "silent"
  readonly message: string
  /** A control plane that is too busy said how long to stay away. */
  readonly retryAfterMs?: number
}

/** What a control plane pushed, as it came. The digest is its name: the same bytes have the same one. */
export interface Payload {
  readonly digest: string
  readonly bytes: Uint8Array
}

export type Link =
  | { readonly phase: "stopped" }
  /** Until the dial has succeeded, failed, or taken too long. */
  | { readonly phase: "dialling"; readonly untilMs: number }
  /** Open; the introduction is on its way. */
  | { readonly phase: "greeting"; readonly untilMs: number }
  /** Introduced. Every frame moves `silentAtMs` on. What has lasted for one ping interval has settled. */
  | {
      readonly phase: "live"
      readonly pingAtMs: number
      readonly silentAtMs: number
      readonly settlesAtMs: number | undefined
    }
  /** Between two dials, for as long as the reconnect policy chose; until it has, for as long as will do without it. */
  | { readonly phase: "waiting"; readonly untilMs: number; readonly isChosen: boolean }

export type Phase = Link["phase"]

/** Reading, validating, compiling and swapping: one payload at a time. */
export type Apply =
  | { readonly phase: "idle" }
  | { readonly phase: "applying"; readonly payload: Payload; readonly failures: number }
  /** It failed for a reason that passes. */
  | {
      readonly phase: "retrying"
      readonly payload: Payload
      readonly failures: number
      readonly retryAtMs: number
    }

/** Bringing what serves to the disk: one write at a time, of the newest only. */
export type Persist =
  | { readonly phase: "idle" }
  /** `next` came to serve meanwhile, and is written as soon as this write has ended. */
  | { readonly phase: "writing"; readonly hash: string; readonly next: string | undefined; readonly failures: number }
  | { readonly phase: "retrying"; readonly hash: string; readonly failures: number; readonly retryAtMs: number }

/** How the running configuration stands with the disk. `slow`: a write has been under way for longer than patience. */
export type Durability = "ok" | "slow" | "failing"

export interface SessionState {
  readonly link: Link
  /** Counts the dials. What comes from an earlier one is recognised by it, and ignored. */
  readonly dial: number
  readonly apply: Apply
  /** The newest payload that has not been taken yet. */
  readonly pending: Payload | undefined
  /** Names of payloads and of contents that were refused: the same again is not tried again. Newest last, bounded. */
  readonly refused: ReadonlyArray<string>
  readonly persist: Persist
  readonly durability: Durability
  /** What pings carry. Zeros until something serves. */
  readonly announced: string
  /** Serves, and is told once it is on disk, has failed to get there, or patience ends. */
  readonly unannounced: { readonly hash: string; readonly byMs: number } | undefined
  /** A refusal that the control plane has not been told of yet; only the newest. */
  readonly unreported: ReportableRejection | undefined
}

/** A configuration that was refused, as a control plane that asks is told of it. `id` tells two of them apart. */
export interface ReportableRejection {
  readonly id: number
  readonly hash: string | undefined
  readonly faults: ReadonlyArray<Fault>
}
