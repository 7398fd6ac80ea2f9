/**
 * What a node gives its neighbours: what serves, if a control plane gave it one way or the other; never a declarative
 * file, never what a person made by hand, never nothing. It is made once for each configuration, whoever asks, in the
 * form of the cache (`ConfigEncoding`).
 */
import { createHash } from "node:crypto"
import { Effect, Semaphore, SubscriptionRef } from "effect"
import { standingIn } from "../../../model/ConfigStatement.ts"
import { peerBodyMaxBytes, standingHeaders } from "../../../model/PeerStanding.ts"
import { type Snapshot, zeroHash } from "../../../model/Snapshot.ts"
import { ConfigEncoding } from "../../../services/ConfigEncoding.ts"
import { ConfigTrust } from "../../../services/ConfigTrust.ts"
import { LiveConfig, type LiveState } from "../../../services/LiveConfig.ts"
import { Settings } from "../../../services/Settings.ts"

export type GivenConfig =
  | {
      readonly _tag: "Given"
      readonly hash: string
      readonly bytes: Uint8Array
      /** As it stands in the header. */
      readonly etag: string
      readonly headers: Readonly<Record<string, string>>
    }
  /** ASCII, for people. */
  | { readonly _tag: "Nothing"; readonly reason: string }
  | { readonly _tag: "Trouble"; readonly reason: string }

const nothing = (reason: string): GivenConfig => ({ _tag: "Nothing", reason })

/** Why what serves is not given; `undefined` when it is. */
const objection = ({ source, hash, snapshot }: LiveState): string | undefined => {
  if (snapshot === undefined || source === "empty") return "no configuration serves here"
  if (hash === zeroHash) return "the configuration that serves here is empty"
  if (source === "declarative_file") return "what serves here is a declarative file"
  return snapshot.isByHand === true ? "what serves here was made by hand" : undefined
}

interface Made {
  readonly snapshot: Snapshot
  readonly sealName: string | undefined
  readonly given: GivenConfig
}

export const makeGivenConfig = Effect.gen(function* () {
  const { state } = yield* LiveConfig
  const { encoded } = yield* ConfigEncoding
  const { sealName: currentSeal } = yield* ConfigTrust
  const maxBytes = peerBodyMaxBytes(yield* Settings)
  const oneAtATime = yield* Semaphore.make(1)
  let made: Made | undefined
  let troubled: Snapshot | undefined

  const told = (snapshot: Snapshot, bytes: Uint8Array): GivenConfig => {
    if (bytes.length > maxBytes)
      return nothing(
        `what serves here is ${bytes.length} bytes, more than the ${maxBytes} that go by cluster_max_payload`
      )
    const etag = `"${createHash("sha256").update(bytes).digest("hex")}"`
    const headers = standingHeaders({ ...standingIn(snapshot), hash: snapshot.hash })
    return { _tag: "Given", hash: snapshot.hash, bytes, etag, headers }
  }

  /** Once for each configuration. */
  const tellTrouble = (snapshot: Snapshot, cause: string) =>
    Effect.suspend(() => {
      if (troubled === snapshot) return Effect.void
      troubled = snapshot
      return Effect.logWarning("configuration can't be given to neighbours").pipe(Effect.annotateLogs({ cause }))
    })

  const trouble: GivenConfig = { _tag: "Trouble", reason: "what serves here can't be written down" }

  const make = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const sealName = yield* currentSeal
    const isSame = made?.snapshot === snapshot
    if (made !== undefined && isSame && made.sealName === sealName) return made.given
    // A value of its own: what was written down of the other one stands under the former seal.
    const outcome = yield* Effect.result(encoded(isSame ? { ...snapshot } : snapshot))
    if (outcome._tag === "Failure") yield* tellTrouble(snapshot, outcome.failure.message)
    const given = outcome._tag === "Success" ? told(snapshot, outcome.success) : trouble
    // Want of memory may pass; all else would fail again.
    const mayPass = outcome._tag === "Failure" && outcome.failure.code !== undefined
    made = mayPass ? undefined : { snapshot, sealName, given }
    return given
  })

  return Effect.gen(function* () {
    const current = yield* SubscriptionRef.get(state)
    const reason = objection(current)
    if (current.snapshot === undefined || reason !== undefined) return nothing(reason ?? "no configuration serves here")
    return yield* make(current.snapshot)
  }).pipe(oneAtATime.withPermit)
})
