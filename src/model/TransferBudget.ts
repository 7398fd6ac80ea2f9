/**
 * How much a node gives its neighbours in a while: so many transfers at once, in all and to each, so many bytes a second
 * in all, so many transfers to each. Bytes are paid for after the fact, so that a configuration larger than what is saved up is given
 * as well; the next one waits until the debt is paid.
 */
export interface TransferLimits {
  readonly atOnce: number
  /** Of these, to one neighbour: who reads slowly must not hold them all. */
  readonly atOnceEach: number
  /** May be given at once after a rest, and is saved up at this rate. */
  readonly burstBytes: number
  readonly bytesPerSecond: number
  /** The same for each neighbour, in transfers. */
  readonly burstTransfers: number
  readonly secondsPerTransfer: number
  /** More neighbours than this are not told apart from new ones: the oldest is forgotten. */
  readonly neighboursMax: number
}

export type Admission =
  | { readonly _tag: "Admitted" }
  /** Another time may be better: in so many seconds, whole and at least one. */
  | { readonly _tag: "Busy"; readonly reason: string; readonly retryAfterSeconds: number }

export interface TransferBudget {
  /** Admitted, it has begun and counts until it is ended. `nowMs` is of a clock that nobody can set. */
  readonly begin: (neighbour: string, bytes: number, nowMs: number) => Admission
  /** Of the same neighbour, once for each that was admitted. */
  readonly end: (neighbour: string) => void
  readonly underWay: () => number
}

interface Bucket {
  readonly amount: number
  readonly atMs: number
}

const filled = ({ amount, atMs }: Bucket, nowMs: number, perSecond: number, max: number): number =>
  Math.min(max, amount + ((nowMs - atMs) / 1000) * perSecond)

const busy = (reason: string, seconds: number): Admission => ({
  _tag: "Busy",
  reason,
  retryAfterSeconds: Math.max(1, Math.ceil(seconds))
})

export const makeTransferBudget = (limits: TransferLimits): TransferBudget => {
  const { atOnce, atOnceEach, burstBytes, bytesPerSecond, burstTransfers, secondsPerTransfer, neighboursMax } = limits
  const neighbours = new Map<string, Bucket>()
  let all: Bucket = { amount: burstBytes, atMs: Number.NEGATIVE_INFINITY }
  const underWayTo = new Map<string, number>()
  let underWay = 0

  const remember = (neighbour: string, bucket: Bucket): void => {
    neighbours.delete(neighbour)
    neighbours.set(neighbour, bucket)
    const [oldest] = neighbours.keys()
    if (neighbours.size > neighboursMax && oldest !== undefined) neighbours.delete(oldest)
  }

  const countUnderWay = (neighbour: string, change: 1 | -1): void => {
    underWay += change
    const own = (underWayTo.get(neighbour) ?? 0) + change
    if (own > 0) underWayTo.set(neighbour, own)
    else underWayTo.delete(neighbour)
  }

  const begin = (neighbour: string, bytes: number, nowMs: number): Admission => {
    if (underWay >= atOnce) return busy(`${underWay} transfers are under way`, 1)
    const toOne = underWayTo.get(neighbour) ?? 0
    if (toOne >= atOnceEach) return busy(`${toOne} transfers to this neighbour are under way`, 1)
    const known = neighbours.get(neighbour)
    const own = known === undefined ? burstTransfers : filled(known, nowMs, 1 / secondsPerTransfer, burstTransfers)
    if (own < 1) return busy("this neighbour has got it too often", (1 - own) * secondsPerTransfer)
    const saved = filled(all, nowMs, bytesPerSecond, burstBytes)
    if (saved <= 0) return busy("so much was given in the last seconds", -saved / bytesPerSecond)
    remember(neighbour, { amount: own - 1, atMs: nowMs })
    all = { amount: saved - bytes, atMs: nowMs }
    countUnderWay(neighbour, 1)
    return { _tag: "Admitted" }
  }

  return {
    begin,
    end: (neighbour) => countUnderWay(neighbour, -1),
    underWay: () => underWay
  }
}
