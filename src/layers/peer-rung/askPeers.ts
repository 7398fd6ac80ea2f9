/** Asks every neighbour where the configuration stands that it would give: a HEAD each, the newest first in the answer. */
import { Effect, Random } from "effect"
import { mayReplace, orderOf, showStanding } from "../../model/ConfigOrder.ts"
import { standingIn } from "../../model/ConfigStatement.ts"
import { type PeerStanding, peerHeaders, readStanding } from "../../model/PeerStanding.ts"
import type { LiveState } from "../../services/LiveConfig.ts"
import type { FoundPeer } from "./findPeers.ts"
import type { PeerAnswer, PeerFailed, PeerQuestion } from "./peerRequest.ts"

export type Ask = (to: FoundPeer, question: PeerQuestion) => Effect.Effect<PeerAnswer, PeerFailed>

/** A neighbour with something to give. */
export interface StandingPeer {
  readonly peer: FoundPeer
  readonly standing: PeerStanding
  readonly etag: string
}

export interface AskedPeers {
  readonly standing: ReadonlyArray<StandingPeer>
  /** Of each that has nothing, why; one line each. */
  readonly notes: ReadonlyArray<string>
}

/** Of more neighbours than this, others are asked the next time. */
const askedMax = 32
const atOnce = 16
const headLimitMs = 2_000

const shownMax = 120

/** What a neighbour says of itself is for people, and may be anything. */
const shownReason = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, shownMax)

export const nothingFrom = ({ status, header }: PeerAnswer): string => {
  const reason = header(peerHeaders.reason)
  return `HTTP ${status}${reason === undefined ? "" : `: ${shownReason(reason)}`}`
}

type Heard = { readonly node: string | undefined; readonly has: StandingPeer | string }

const hear = (ask: Ask, peer: FoundPeer): Effect.Effect<Heard> =>
  ask(peer, { method: "HEAD", limitMs: headLimitMs, maxBytes: 0 }).pipe(
    Effect.map((answer): Heard => {
      const node = answer.header(peerHeaders.node)
      const standing = answer.status === 200 ? readStanding(answer.header) : undefined
      const has = standing === undefined ? nothingFrom(answer) : { peer, standing, etag: etagOf(answer) }
      return { node, has: typeof has === "string" ? `${peer.name}: ${has}` : has }
    }),
    Effect.catch(({ message }) => Effect.succeed<Heard>({ node: undefined, has: `${peer.name}: ${message}` }))
  )

export const etagOf = ({ header }: PeerAnswer): string => header("etag") ?? ""

/** Takes the newest one out of what is left, until nothing is: the order of standings is none that a sort could go by. */
const newestFirst = (peers: ReadonlyArray<StandingPeer>): ReadonlyArray<StandingPeer> => {
  const left = [...peers]
  const ordered: Array<StandingPeer> = []
  while (left.length > 0) {
    const newest = left.findIndex((one) => left.every((other) => orderOf(other.standing, one.standing) !== "newer"))
    ordered.push(...left.splice(Math.max(0, newest), 1))
  }
  return ordered
}

/** One node may have several addresses, and one of them may be our own. */
const others = (heard: ReadonlyArray<Heard>, own: string): ReadonlyArray<Heard> => {
  const seen = new Set([own])
  return heard.filter(({ node }) => {
    if (node === undefined) return true
    if (seen.has(node)) return false
    seen.add(node)
    return true
  })
}

export const askPeers = Effect.fnUntraced(function* (ask: Ask, found: ReadonlyArray<FoundPeer>, ownNodeId: string) {
  const asked = (yield* Random.shuffle(found)).slice(0, askedMax)
  const heard = others(yield* Effect.forEach(asked, (peer) => hear(ask, peer), { concurrency: atOnce }), ownNodeId)
  const untold = found.length - asked.length
  return {
    standing: newestFirst(heard.flatMap(({ has }) => (typeof has === "string" ? [] : [has]))),
    notes: [
      ...heard.flatMap(({ has }) => (typeof has === "string" ? [has] : [])),
      ...(untold > 0 ? [`${untold} more are asked another time`] : [])
    ]
  } satisfies AskedPeers
})

/** Why what a neighbour has is not worth fetching, beside what serves; `undefined` when it is. */
export const notWorth = ({ standing }: StandingPeer, { hash, source, snapshot }: LiveState): string | undefined => {
  if (snapshot === undefined || source === "declarative_file") return undefined
  if (standing.hash === hash) return "it has what serves"
  return mayReplace(standing, standingIn(snapshot)) ? undefined : `it has something older (${showStanding(standing)})`
}
