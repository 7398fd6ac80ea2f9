/**
 * How much a node gives its neighbours in a while: so many transfers at once, so many bytes a second in all, so many
 * transfers to each. Bytes are paid for after the fact, so that a configuration larger than what is saved up is given
 * as well; the next one waits until the debt is paid.
 */
export interface TransferLimits {
  readonly atOnce: number
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
  readonly end: () => void
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
  const { atOnce, burstBytes, bytesPerSecond, burstTransfers, secondsPerTransfer, neighboursMax } = limits
  const neighbours = new Map<string, Bucket>()
  let all: Bucket = { amount: burstBytes, atMs: Number.NEGATIVE_INFINITY }
  let underWay = 0

  const remember = (neighbour: string, bucket: Bucket): void => {
    neighbours.delete(neighbour)
    neighbours.set(neighbour, bucket)
    const [oldest] = neighbours.keys()
    if (neighbours.size > neighboursMax && oldest !== undefined) neighbours.delete(oldest)
  }

  const begin = (neighbour: string, bytes: number, nowMs: number): Admission => {
    if (underWay >= atOnce) return busy(`${underWay} transfers are under way`, 1)
    const known = neighbours.get(neighbour)
    const own = known === undefined ? burstTransfers : filled(known, nowMs, 1 / secondsPerTransfer, burstTransfers)
    if (own < 1) return busy("this neighbour has got it too often", (1 - own) * secondsPerTransfer)
    const saved = filled(all, nowMs, bytesPerSecond, burstBytes)
    if (saved <= 0) return busy("so much was given in the last seconds", -saved / bytesPerSecond)
    remember(neighbour, { amount: own - 1, atMs: nowMs })
    all = { amount: saved - bytes, atMs: nowMs }
    underWay++
    return { _tag: "Admitted" }
  }

  return {
    begin,
    end: () => {
      underWay--
    },
    underWay: () => underWay
  }
}
