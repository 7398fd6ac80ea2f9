/**
 * Whom a node believes. With `config_trust_keys`, disk, peers and object storage are mere ways on which a configuration
 * comes: it serves if somebody trusted has signed it, it is as it was signed, and it is nothing older than the newest that
 * was seen. A control plane's session is trust of its own, for both ends have proved who they are.
 *
 * A reference: without such keys, and without anybody who provides it, everything is believed.
 */
import { Context, Effect, Stream } from "effect"
import type { Attestation } from "../model/ConfigStatement.ts"
import type { Row } from "../model/Entity.ts"
import type { Fault } from "../model/Fault.ts"
import type { Snapshot } from "../model/Snapshot.ts"
import type { TableContent } from "../model/TableContent.ts"
import type { Offer } from "./LiveConfig.ts"

export interface Distrust {
  readonly faults: ReadonlyArray<Fault>
  /** Other settings, or another day, would let it serve: it is left where it is. */
  readonly mayServeYet: boolean
}

export interface ConfigTrust {
  /** Why it may not serve; `undefined` when it may. */
  readonly judge: (offer: Offer) => Effect.Effect<Distrust | undefined>
  /**
   * The same of signature and content alone, for what disk, peers and object storage bring, before it is parsed: `sha256` is
   * asked for only if somebody trusted has signed the statement, and is of the table's bytes. `judge` has the last word.
   */
  readonly judgeUnread: (
    attestation: Attestation | undefined,
    sha256: Effect.Effect<string>
  ) => Effect.Effect<Distrust | undefined>
  /** It serves: nothing older will be believed from here on. */
  readonly accepted: (snapshot: Snapshot) => Effect.Effect<void>
  /** It stands on the disk: that nothing older may serve outlives the process from here on. */
  readonly kept: (snapshot: Snapshot) => Effect.Effect<void>
  /** Who will vouch for it when it is written: what came with it, and this node's seal where it has one to give. */
  readonly attest: (
    snapshot: Pick<Snapshot, "source" | "hash" | "epoch" | "sequence" | "issuedAtMs" | "receivedAtMs" | "attestation">,
    content: Pick<TableContent, "sha256">
  ) => Effect.Effect<Attestation | undefined>
  /** Whether somebody trusted vouches for what it says, if that is asked for at all. Its content and age are not looked at. */
  readonly isVouchedFor: (attestation: Attestation | undefined) => Effect.Effect<boolean>
  /** What was described to judge it: for a large table half a second of the thread, that need not be done again. Once. */
  readonly takeDescribed: (raw: Row) => TableContent | undefined
  /** Whose seal that would be; `undefined` where this node has none to give. */
  readonly sealName: Effect.Effect<string | undefined>
  /** Sees now whether the key of seals was replaced: before a stop, for the next start will know no other. */
  readonly lookAgain: Effect.Effect<void>
  /** Each time that another key seals from then on. */
  readonly sealChanges: Stream.Stream<void>
}

/** For whoever judges only a part of it. */
export const believing: ConfigTrust = {
  judge: () => Effect.succeed(undefined),
  judgeUnread: () => Effect.succeed(undefined),
  accepted: () => Effect.void,
  kept: () => Effect.void,
  attest: ({ attestation }, { sha256 }) =>
    Effect.succeed(attestation?.statement.sha256 === sha256 ? attestation : undefined),
  isVouchedFor: () => Effect.succeed(true),
  sealName: Effect.succeed(undefined),
  lookAgain: Effect.void,
  sealChanges: Stream.never,
  takeDescribed: () => undefined
}

export const ConfigTrust = Context.Reference<ConfigTrust>("holdfast/services/ConfigTrust", {
  defaultValue: () => believing
})
