/**
 * The configuration that is being served. The control path swaps it, the request path reads it: this is the one place
 * where the two meet.
 */
import { Context, Data, type Effect, type MutableRef, type SubscriptionRef } from "effect"
import type { CompiledConfig } from "../model/CompiledConfig.ts"
import type { Row } from "../model/Entity.ts"
import { type Fault, formatFault } from "../model/Fault.ts"
import type { Provenance, RungSource, Snapshot, Source } from "../model/Snapshot.ts"
import type { Preference } from "../model/SourcePreference.ts"

/** A configuration that does not become the running one, with every reason. The same bytes would fail again. */
export class ConfigRejected extends Data.TaggedError("ConfigRejected")<{
  readonly source: Source
  readonly hash: string | undefined
  readonly faults: ReadonlyArray<Fault>
  /** At which step: `schema`, `compile`, or one of its rung's own before it was offered. */
  readonly stage?: string
  /** Nothing is wrong with it: something better serves, or something newer. */
  readonly isOutranked?: true
  /** Other settings would let it serve: it is to be left where it is. */
  readonly mayServeYet?: true
}> {
  override get message(): string {
    return this.faults.map(formatFault).join("; ")
  }
}

/** A table on offer, not yet validated. */
export interface Offer extends Provenance {
  readonly raw: Row
  readonly source: RungSource
  /** Where it was found, for people: a path, an address. */
  readonly place?: string
  /** What its source calls it; computed when absent. */
  readonly hash: string | undefined
  /** SHA-256 of its canonical JSON, where whoever offers it has told it from the content; told anew when absent and needed. */
  readonly sha256?: string
  readonly receivedAtMs: number
  /**
   * Set when a person put it in the place of what serves: then it may replace a better rung, unless something was
   * accepted since they were heard, after so many offers (`resilience.md` §4).
   */
  readonly byHand?: { readonly after: number }
}

export interface Rejection {
  readonly atMs: number
  readonly source: Source
  readonly hash: string | undefined
  readonly reasons: ReadonlyArray<string>
  /** The same, for whoever has to tell them in another form. */
  readonly faults: ReadonlyArray<Fault>
}

/** A rung that was asked and does not serve, or not with all that it had. */
export interface PassedOver {
  readonly source: RungSource
  /** Of everything that it had, in the order in which it was asked. */
  readonly reasons: ReadonlyArray<string>
}

/** One line for each rung: `disk: /prefix/config.json.gz: gzip: expected gzip`. */
export const showPassedOver = (passed: ReadonlyArray<PassedOver>): ReadonlyArray<string> =>
  passed.map(({ source, reasons }) => `${source}: ${reasons.join("; ")}`)

export interface LiveState {
  readonly source: Source
  /** The sources that this node uses, best first. */
  readonly sources: Preference
  /** The rungs at least as good as what serves that were asked and passed over, best first. */
  readonly passedOver: ReadonlyArray<PassedOver>
  readonly hash: string
  /** Since when this configuration is served; ms since the epoch. */
  readonly sinceMs: number
  readonly receivedAtMs: number | undefined
  readonly routeCount: number
  /** What serves, as it was validated; `undefined` while nothing does. */
  readonly snapshot: Snapshot | undefined
  /** How many offers were accepted since the start. */
  readonly acceptedCount: number
  readonly applyTimes: ApplyTimes
  readonly rejectedCount: number
  readonly lastRejection: Rejection | undefined
}

/** What validating, compiling and swapping took, of the configurations that came to serve since the start. */
export interface ApplyTimes {
  readonly count: number
  readonly sumMs: number
  readonly lastMs: number
}

/** What came of an offer: a new configuration serves, or the offered one served already. */
export interface Applied {
  readonly snapshot: Snapshot
  readonly isNew: boolean
}

export class LiveConfig extends Context.Service<
  LiveConfig,
  {
    /** What the request path reads: once a request, no lock, no fiber. */
    readonly current: MutableRef.MutableRef<CompiledConfig>
    readonly state: SubscriptionRef.SubscriptionRef<LiveState>
    /**
     * Validates, compiles and swaps. Calls are served one after the other; a failure leaves everything as it was and
     * is kept in the state. An offer from a worse rung than the one that serves is refused, unless it is made by hand.
     * Each change of source is one event, with both rungs and those that were passed over.
     */
    readonly apply: (offer: Offer) => Effect.Effect<Applied, ConfigRejected>
    /** Keeps in the state that a configuration was refused before it could be offered: unreadable, say. */
    readonly note: (rejected: ConfigRejected) => Effect.Effect<void>
    /** Keeps in the state why a rung does not serve, in place of what was known of it. */
    readonly passOver: (passed: PassedOver) => Effect.Effect<void>
  }
>()("holdfast/services/LiveConfig") {}
