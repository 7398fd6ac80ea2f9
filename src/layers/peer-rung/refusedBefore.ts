/**
 * What a neighbour had that did not come to serve: it is neither fetched again nor told again, for the ladder asks every few
 * seconds. A verdict on the same bytes stands for good; what another day may change is forgotten after a while.
 */
export interface RefusedBefore {
  readonly has: (peer: string, etag: string, nowMs: number) => boolean
  readonly add: (peer: string, etag: string, untilMs: number) => void
  readonly forget: (peer: string) => void
  /** Of neighbours that are there no longer nothing is kept. */
  readonly keepOnly: (peers: ReadonlySet<string>) => void
}

interface Verdict {
  readonly etag: string
  readonly untilMs: number
}

export const makeRefusedBefore = (): RefusedBefore => {
  const verdicts = new Map<string, Verdict>()
  return {
    has: (peer, etag, nowMs) => {
      const verdict = verdicts.get(peer)
      return verdict !== undefined && verdict.etag === etag && nowMs < verdict.untilMs
    },
    add: (peer, etag, untilMs) => void verdicts.set(peer, { etag, untilMs }),
    forget: (peer) => void verdicts.delete(peer),
    keepOnly: (peers) => {
      for (const peer of verdicts.keys()) if (!peers.has(peer)) verdicts.delete(peer)
    }
  }
}
