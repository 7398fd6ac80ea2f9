/**
 * The peer rung: what the neighbours of `config_peers` serve (`DESIGN.md`, "The life of a node", 3). All are asked where they
 * stand; the newest that is worth it is fetched and offered, then the next. Whether it is right, trusted and new is for
 * LiveConfig to say; a neighbour is a way on which a configuration comes, and no authority.
 */
import { Effect, Layer, SubscriptionRef } from "effect"
import { peerBodyMaxBytes } from "../../model/PeerStanding.ts"
import type { ClusterIdentity } from "../../services/ClusterIdentity.ts"
import type { ClusterTransport } from "../../services/ClusterTransport.ts"
import type { Compression } from "../../services/Compression.ts"
import { Identity } from "../../services/Identity.ts"
import { type ConfigRejected, LiveConfig } from "../../services/LiveConfig.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import type { NameServers } from "../../services/NameServers.ts"
import { PeerRungs } from "../../services/PeerRungs.ts"
import type { Rung, RungAnswer } from "../../services/Rung.ts"
import { readEnvelope } from "../../services/readEnvelope.ts"
import { Settings } from "../../services/Settings.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { type Ask, askPeers, etagOf, nothingFrom, notWorth, type StandingPeer } from "./askPeers.ts"
import { makeBackOff } from "./backOff.ts"
import { type FoundPeers, makeFindPeers } from "./findPeers.ts"
import { makePeerRequest, PeerFailed } from "./peerRequest.ts"
import { makeRefusedBefore } from "./refusedBefore.ts"

/** Together with asking, less than the patience of whoever asks the rung. */
const transferLimitMs = 15_000
/** In one go; what is left comes the next time. */
const transfersMax = 4
/** After this, what may serve another day is tried again, and who broke off is asked first again. */
const forgetMs = 300_000
/** After what did not come to serve, whatever the neighbour has by then. */
const backOffTimes = { firstMs: 10_000, maxMs: 300_000 }
const shownNotes = 8

const nothing = (notes: ReadonlyArray<string>): RungAnswer => {
  const untold = notes.length - shownNotes
  const shown = untold > 0 ? [...notes.slice(0, shownNotes), `and ${untold} more`] : notes
  return { _tag: "Nothing", reason: shown.join("; ") || "config_peers leads to no neighbour but this node" }
}

/** What is left of one go. */
interface Search {
  readonly left: ReadonlyArray<StandingPeer>
  readonly notes: ReadonlyArray<string>
  readonly fetched: number
}

export const makePeerRung = Effect.fnUntraced(function* (findPeers: Effect.Effect<FoundPeers>, ask: Ask) {
  const settings = yield* Settings
  const { nodeId } = yield* Identity
  const { state } = yield* LiveConfig
  const { nowMs } = yield* TrustedClock
  const context = yield* Effect.context<Settings | Compression>()
  const maxBytes = peerBodyMaxBytes(settings)
  const refused = makeRefusedBefore()
  const troubled = makeRefusedBefore()
  const backOff = makeBackOff(backOffTimes)

  const fetch = Effect.fnUntraced(function* ({ peer }: StandingPeer) {
    // Until it has succeeded, also if nobody waits for the end: others come first the next time.
    troubled.add(peer.name, "", (yield* monotonicMs) + forgetMs)
    const answer = yield* ask(peer, { method: "GET", limitMs: transferLimitMs, maxBytes })
    if (answer.status !== 200) return yield* new PeerFailed({ message: nothingFrom(answer), mayBeCertificate: false })
    troubled.forget(peer.name)
    return { bytes: answer.body, etag: etagOf(answer) }
  })

  const next = ({ left: [first, ...left], notes, fetched }: Search): Effect.Effect<RungAnswer> =>
    Effect.gen(function* () {
      if (first === undefined) return nothing(notes)
      if (fetched >= transfersMax) return nothing([...notes, "others that have something are asked the next time"])
      const { name } = first.peer
      const goOn = (note: string) => next({ left, notes: [...notes, `${name}: ${note}`], fetched: fetched + 1 })
      const got = yield* Effect.result(fetch(first))
      if (got._tag === "Failure") return yield* goOn(got.failure.message)
      const { bytes, etag } = got.success
      // Unless it comes to serve, it is not fetched again for a while, and nothing else of that neighbour for a shorter one.
      const atMs = yield* monotonicMs
      refused.add(name, etag, atMs + forgetMs)
      backOff.lengthen(name, atMs)
      const origin = { source: "peer", place: name, nowMs: yield* nowMs } as const
      const read = yield* readEnvelope(bytes, origin).pipe(Effect.provideContext(context), Effect.result)
      /** What another day may let serve is fetched again when its time is over. */
      const away = (mayServeYet: boolean | undefined) =>
        mayServeYet === true ? Effect.void : Effect.sync(() => refused.add(name, etag, Number.POSITIVE_INFINITY))
      if (read._tag === "Failure") {
        const { stage, message, mayServeYet } = read.failure
        return {
          _tag: "Unusable",
          stage,
          faults: [{ path: [], place: name, message: `${stage}: ${message}` }],
          next: Effect.andThen(away(mayServeYet), goOn("what it has is refused"))
        }
      }
      return {
        _tag: "Candidate",
        offer: read.success,
        served: Effect.sync(() => {
          refused.forget(name)
          backOff.forget(name)
        }),
        refused: ({ mayServeYet }: ConfigRejected) => Effect.andThen(away(mayServeYet), goOn("what it has is refused"))
      }
    })

  const offer = Effect.gen(function* () {
    const found = yield* findPeers
    const names = new Set(found.peers.map(({ name }) => name))
    refused.keepOnly(names)
    troubled.keepOnly(names)
    backOff.keepOnly(names)
    const { standing, notes } = yield* askPeers(ask, found.peers, nodeId)
    const serving = yield* SubscriptionRef.get(state)
    const atMs = yield* monotonicMs
    const refusedNote = ({ peer: { name }, etag }: StandingPeer): string | undefined => {
      if (refused.has(name, etag, atMs)) return "what it has was refused before"
      return backOff.isOn(name, atMs) ? "what it had was refused; what it has now is fetched later" : undefined
    }
    const judged = standing.map((each) => ({ each, note: refusedNote(each) ?? notWorth(each, serving) }))
    const worth = judged.flatMap(({ each, note }) => (note === undefined ? [each] : []))
    const isTroubled = ({ peer }: StandingPeer) => troubled.has(peer.name, "", atMs)
    return yield* next({
      left: [...worth.filter((each) => !isTroubled(each)), ...worth.filter(isTroubled)],
      notes: [
        ...found.problems,
        ...notes,
        ...judged.flatMap(({ each, note }) => (note === undefined ? [] : [`${each.peer.name}: ${note}`]))
      ],
      fetched: 0
    })
  })

  return { source: "peer", offer } satisfies Rung
})

type RungServices =
  | Settings
  | Identity
  | LiveConfig
  | Compression
  | TrustedClock
  | NameServers
  | ClusterTransport
  | ClusterIdentity

export const layer: Layer.Layer<PeerRungs, never, RungServices> = Layer.effect(
  PeerRungs,
  Effect.gen(function* () {
    return [yield* makePeerRung(yield* makeFindPeers, yield* makePeerRequest)]
  })
)
