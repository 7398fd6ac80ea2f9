/** What was added to the cells of requests since they were last looked at. Looked at ten times a second: most buckets have not changed. */
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

const grown = (from: Float64Array, length: number): Float64Array => {
  const to = new Float64Array(length)
  to.set(from)
  return to
}

export const makeDeltas = () => {
  const seen = new Map<RequestCell, Seen>()

  const seenOf = (cell: RequestCell): Seen => {
    const known = seen.get(cell)
    if (known !== undefined) return known
    const fresh = { classes: new Float64Array(5), buckets: none }
    seen.set(cell, fresh)
    return fresh
  }

  const statusesOf = (now: ArrayLike<number>, { classes }: Seen): Delta["statuses"] => {
    const more: [number, number, number, number, number] = [0, 0, 0, 0, 0]
    for (let at = 0; at < 5; at++) {
      const count = now[at] ?? 0
      more[at] = count - (classes[at] ?? 0)
      classes[at] = count
    }
    return more
  }

  const latencyOf = (now: ArrayLike<number>, known: Seen): Delta["latency"] => {
    if (known.buckets.length < now.length) known.buckets = grown(known.buckets, now.length)
    const before = known.buckets
    const changed: Array<readonly [number, number]> = []
    for (let bucket = 0; bucket < now.length; bucket++) {
      const count = now[bucket] ?? 0
      const former = before[bucket] ?? 0
      if (count === former) continue
      changed.push([bucket, count - former])
      before[bucket] = count
    }
    return changed
  }

  return (cells: ReadonlyArray<RequestCell>): ReadonlyArray<Delta> =>
    cells.map((cell) => {
      const known = seenOf(cell)
      return {
        cell,
        statuses: statusesOf(cell.classes, known),
        latency: latencyOf(cell.requestLatency.buckets, known)
      }
    })
}
