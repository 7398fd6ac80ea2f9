/**
 * For work that keeps a thread of a pool and may keep it for ever: so much of it at a time in each lane, so much in all,
 * and the rest of the pool is for others. Whoever waits for a place can be interrupted. Whoever has one keeps it until
 * the work has really ended, also when nobody waits for that any more.
 */
import { Effect } from "effect"

export interface LaneLimits {
  readonly perLane: number
  readonly inAll: number
}

export interface LaneWork<A> {
  readonly start: () => Promise<A>
  /** What becomes of a result that nobody waits for; the place is kept until that is done. */
  readonly discard?: ((result: A) => Promise<void>) | undefined
}

/** Fails with whatever the promise was rejected with. */
export type InLane = <A>(lane: string, work: LaneWork<A>) => Effect.Effect<A, unknown>

interface Waiting {
  readonly lane: string
  readonly begin: () => void
}

export const makeLanes = ({ perLane, inAll }: LaneLimits): InLane => {
  const busy = new Map<string, number>()
  let busyInAll = 0
  let waiting: ReadonlyArray<Waiting> = []

  const hasRoom = (lane: string): boolean => busyInAll < inAll && (busy.get(lane) ?? 0) < perLane

  const enter = (lane: string): void => {
    busyInAll++
    busy.set(lane, (busy.get(lane) ?? 0) + 1)
  }

  /** Those who wait longest go first; a full lane holds up no other. */
  const leave = (lane: string): void => {
    busyInAll--
    const left = (busy.get(lane) ?? 1) - 1
    if (left === 0) busy.delete(lane)
    else busy.set(lane, left)
    const next = waiting.find((each) => hasRoom(each.lane))
    if (next === undefined) return
    waiting = waiting.filter((each) => each !== next)
    next.begin()
  }

  return <A>(lane: string, { start, discard }: LaneWork<A>) =>
    Effect.callback<A, unknown>((resume) => {
      let isAwaited = true

      const outcome = async (): Promise<Effect.Effect<A, unknown>> => {
        try {
          const result = await start()
          if (!isAwaited) await discard?.(result)
          return Effect.succeed(result)
        } catch (cause) {
          return Effect.fail(cause)
        }
      }
      const begin = (): void => {
        enter(lane)
        void outcome().then((ended) => {
          leave(lane)
          resume(ended)
        })
      }
      const entry: Waiting = { lane, begin }
      if (hasRoom(lane)) begin()
      else waiting = [...waiting, entry]

      return Effect.sync(() => {
        isAwaited = false
        waiting = waiting.filter((each) => each !== entry)
      })
    })
}
