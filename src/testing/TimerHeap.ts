/**
 * Timers of virtual time in the order in which they fall due; those of one instant in the order in which they were set.
 * A heap of four children a node, in which every timer knows its place, so that cancelling costs no search and what was
 * cancelled takes no room: most timers of a node (silence, time-outs) are cancelled long before they fall due.
 */
import type { VirtualClock } from "./VirtualClock.ts"

export interface Timer {
  /** Monotonic milliseconds of the whole world. */
  dueMs: number
  sequence: number
  /** Place in the heap; negative when it is not there. */
  place: number
  run: () => void
  /** Whose it is; a suspended clock's timers wait. The world's own have none. */
  readonly clock: VirtualClock | undefined
  /** How long that clock had been suspended in all when `dueMs` was reckoned. */
  pausedMs: number
  /** It has fired or was cancelled. */
  isOver: boolean
}

export const notInHeap = -1

const isBefore = (a: Timer, b: Timer): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence)

export interface TimerHeap {
  readonly size: () => number
  readonly first: () => Timer | undefined
  readonly add: (timer: Timer) => void
  readonly remove: (timer: Timer) => void
}

export const makeTimerHeap = (): TimerHeap => {
  const heap: Array<Timer> = []

  const rise = (timer: Timer, from: number): void => {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 2
      const parent = heap[above]
      if (parent === undefined || !isBefore(timer, parent)) break
      heap[place] = parent
      parent.place = place
      place = above
    }
    heap[place] = timer
    timer.place = place
  }

  const earliestChild = (place: number): Timer | undefined => {
    const firstChild = place * 4 + 1
    let earliest = heap[firstChild]
    if (earliest === undefined) return undefined
    const end = Math.min(firstChild + 4, heap.length)
    for (let child = firstChild + 1; child < end; child++) {
      const other = heap[child]
      if (other !== undefined && isBefore(other, earliest)) earliest = other
    }
    return earliest
  }

  const sink = (timer: Timer, from: number): void => {
    let place = from
    for (;;) {
      const child = earliestChild(place)
      if (child === undefined || !isBefore(child, timer)) break
      const below = child.place
      heap[place] = child
      child.place = place
      place = below
    }
    heap[place] = timer
    timer.place = place
  }

  return {
    size: () => heap.length,
    first: () => heap[0],
    add: (timer) => {
      heap.push(timer)
      rise(timer, heap.length - 1)
    },
    remove: (timer) => {
      const { place } = timer
      const last = heap.pop()
      timer.place = notInHeap
      if (last === undefined || last === timer) return
      if (isBefore(last, timer)) rise(last, place)
      else sink(last, place)
    }
  }
}
