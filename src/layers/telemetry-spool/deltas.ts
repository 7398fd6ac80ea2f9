/** What was added to the cells of requests since they were last looked at. */
import type { RequestCell } from "../../services/RequestCounters.ts"

export interface Delta {
  readonly cell: RequestCell
  /** By the first digit of the status. */
  readonly statuses: readonly [number, number, number, number, number]
  /** `[bucket, count]`, buckets in rising order. */
  readonly latency: ReadonlyArray<readonly [number, number]>
}

interface Seen {
  readonly classes: Float64Array
  buckets: Float64Array
}

const none = new Float64Array(0)

export const makeDeltas = () => {
  const seen = new Map<RequestCell, Seen>()

  const seenOf = (cell: RequestCell): Seen => {
    const known = seen.get(cell)
    if (known !== undefined) return known
    const fresh = { classes: new Float64Array(5), buckets: none }
    seen.set(cell, fresh)
    return fresh
  }

  const added = (now: ArrayLike<number>, before: Float64Array, at: number): number => {
    const count = now[at] ?? 0
    const more = count - (before[at] ?? 0)
    before[at] = count
    return more
  }

  const latencyOf = (now: ArrayLike<number>, known: Seen): Delta["latency"] => {
    if (known.buckets.length < now.length) {
      const grown = new Float64Array(now.length)
      grown.set(known.buckets)
      known.buckets = grown
    }
    const changed: Array<readonly [number, number]> = []
    for (let bucket = 0; bucket < now.length; bucket++) {
      const more = added(now, known.buckets, bucket)
      if (more > 0) changed.push([bucket, more])
    }
    return changed
  }

  return (cells: ReadonlyArray<RequestCell>): ReadonlyArray<Delta> =>
    cells.map((cell) => {
      const known = seenOf(cell)
      const of = (at: number) => added(cell.classes, known.classes, at)
      return {
        cell,
        statuses: [of(0), of(1), of(2), of(3), of(4)],
        latency: latencyOf(cell.requestLatency.buckets, known)
      }
    })
}
