/**
 * How long nothing is fetched from a neighbour after what it had did not come to serve, whatever it has by then: a
 * neighbour that has something else each time would otherwise cost a transfer, a reading and a line of the log every few
 * seconds. Each time twice as long; who was left alone for as long again starts afresh.
 */
export interface BackOff {
  readonly isOn: (peer: string, nowMs: number) => boolean
  /** By a clock that nobody can set. */
  readonly lengthen: (peer: string, nowMs: number) => void
  readonly forget: (peer: string) => void
  /** Of neighbours that are there no longer nothing is kept. */
  readonly keepOnly: (peers: ReadonlySet<string>) => void
}

export interface BackOffTimes {
  readonly firstMs: number
  readonly maxMs: number
}

interface Wait {
  readonly ms: number
  readonly untilMs: number
}

export const makeBackOff = ({ firstMs, maxMs }: BackOffTimes): BackOff => {
  const waits = new Map<string, Wait>()
  const nextMs = (before: Wait | undefined, nowMs: number): number =>
    before === undefined || nowMs - before.untilMs > maxMs ? firstMs : Math.min(maxMs, 2 * before.ms)
  return {
    isOn: (peer, nowMs) => nowMs < (waits.get(peer)?.untilMs ?? Number.NEGATIVE_INFINITY),
    lengthen: (peer, nowMs) => {
      const ms = nextMs(waits.get(peer), nowMs)
      waits.set(peer, { ms, untilMs: nowMs + ms })
    },
    forget: (peer) => void waits.delete(peer),
    keepOnly: (peers) => {
      for (const peer of waits.keys()) if (!peers.has(peer)) waits.delete(peer)
    }
  }
}
