/**
 * What lies between one node and its control planes, and the two directions of one connection over it. It models TCP as
 * its users see it: a stream, in which what is sent arrives late or not at all, but never twice and never out of order.
 *
 * Faults, and what they do here:
 * - delay and jitter: every message of a direction arrives after both, never before the one sent earlier;
 * - loss: TCP sends again. A lost message arrives later by 200 ms, 400 ms, 800 ms … and all that follow wait for it;
 * - blocked, one direction or both: what is sent waits in the sender's kernel, and arrives with the first repetition after
 *   the block has gone, which may be long after it: repetitions grow apart to 120 s. TCP would give up after about a
 *   quarter of an hour; every session ends by its own silence long before, so that this is left out;
 * - a full send buffer: the sender's write returns only once what is under way has arrived;
 * - dead: nothing arrives any more, in either direction, and nobody is told (a forgotten NAT entry, a machine that lost power).
 *
 * Not modelled: reordering within a connection and duplicates, which TCP undoes (between two connections any order
 * happens), and bit errors, which end a TLS connection as a reset does.
 */
import type { SeededRandom } from "./SeededRandom.ts"
import type { VirtualClock } from "./VirtualClock.ts"
import type { VirtualTime } from "./VirtualTime.ts"

/** How a link behaves; may be changed at any time. */
export interface LinkConditions {
  /** One way, in milliseconds. */
  delayMs: number
  /** Up to so much is added to each message. */
  jitterMs: number
  /** The probability that one message has to be sent again. */
  lossRate: number
  isBlockedToServer: boolean
  isBlockedToNode: boolean
}

export const goodConditions: Readonly<LinkConditions> = {
  delayMs: 2,
  jitterMs: 1,
  lossRate: 0,
  isBlockedToServer: false,
  isBlockedToNode: false
}

export interface Link {
  readonly node: string
  readonly conditions: LinkConditions
  /** The time that one more message needs. */
  readonly drawDelayMs: () => number
  /** Calls back when the direction is no longer blocked. */
  readonly whenOpen: (direction: Direction, run: () => void) => void
  readonly change: (conditions: Partial<LinkConditions>) => void
}

export type Direction = "toServer" | "toNode"

const firstRepetitionMs = 200
const longestRepetitionMs = 120_000
/** A message that is lost this often in a row is a block, which is a fault of its own. */
const lossesMax = 6

const isBlocked = ({ isBlockedToServer, isBlockedToNode }: LinkConditions, direction: Direction): boolean =>
  direction === "toServer" ? isBlockedToServer : isBlockedToNode

export const makeLink = (node: string, random: SeededRandom, conditions: LinkConditions): Link => {
  const waiting: Record<Direction, Array<() => void>> = { toServer: [], toNode: [] }

  const release = (direction: Direction): void => {
    if (isBlocked(conditions, direction)) return
    const runs = waiting[direction]
    waiting[direction] = []
    for (const run of runs) run()
  }

  const lossDelayMs = (): number => {
    let delayMs = 0
    let repetitionMs = firstRepetitionMs
    for (let losses = 0; losses < lossesMax && random.chance(conditions.lossRate); losses++) {
      delayMs += repetitionMs
      repetitionMs *= 2
    }
    return delayMs
  }

  return {
    node,
    conditions,
    drawDelayMs: () => {
      const { delayMs, jitterMs, lossRate } = conditions
      return delayMs + (jitterMs > 0 ? random.next() * jitterMs : 0) + (lossRate > 0 ? lossDelayMs() : 0)
    },
    whenOpen: (direction, run) => {
      if (isBlocked(conditions, direction)) waiting[direction].push(run)
      else run()
    },
    change: (changed) => {
      Object.assign(conditions, changed)
      release("toServer")
      release("toNode")
    }
  }
}

/** The instant of the first repetition, of something first sent at `sentAtMs`, that is not before `openAtMs`. */
export const repetitionAfter = (sentAtMs: number, openAtMs: number): number => {
  let atMs = sentAtMs
  for (let gapMs = firstRepetitionMs; atMs < openAtMs; gapMs = Math.min(gapMs * 2, longestRepetitionMs)) atMs += gapMs
  return atMs
}

/** One direction of one connection. */
export interface Pipe<Message> {
  /** `taken` is called once the sender's kernel has it, which is at once unless its buffer is full. */
  readonly send: (message: Message, bytes: number, taken: () => void) => void
  /** From here on nothing arrives and nobody is told. */
  readonly die: () => void
}

export interface PipeOptions<Message> {
  readonly time: VirtualTime["Service"]
  readonly link: Link
  readonly direction: Direction
  /** A suspended receiver gets what waited for it when it wakes; a killed one nothing. */
  readonly receiver: VirtualClock
  readonly deliver: (message: Message) => void
}

const sendBufferBytes = 256 * 1024

export const makePipe = <Message>({
  time,
  link,
  direction,
  receiver,
  deliver
}: PipeOptions<Message>): Pipe<Message> => {
  let isDead = false
  let arrivesAtMs = 0
  let underWayBytes = 0
  let held: Array<() => void> | undefined

  const arrive = (message: Message, bytes: number, taken: (() => void) | undefined): void => {
    if (isDead) return
    underWayBytes -= bytes
    taken?.()
    deliver(message)
  }

  const launch = (message: Message, bytes: number, taken: (() => void) | undefined): void => {
    const nowMs = time.nowMs()
    arrivesAtMs = Math.max(arrivesAtMs, nowMs + link.drawDelayMs())
    time.after(arrivesAtMs - nowMs, () => receiver.whenAwake(() => arrive(message, bytes, taken)))
  }

  /** All that was held goes out with one repetition, in its order. */
  const repeatWhenOpen = (launches: ReadonlyArray<() => void>, sinceMs: number): void =>
    link.whenOpen(direction, () => {
      const nowMs = time.nowMs()
      time.after(repetitionAfter(sinceMs, nowMs) - nowMs, () => {
        if (isDead) return
        if (isBlocked(link.conditions, direction)) return repeatWhenOpen(launches, sinceMs)
        held = undefined
        for (const run of launches) run()
      })
    })

  const hold = (): Array<() => void> => {
    const launches: Array<() => void> = []
    held = launches
    repeatWhenOpen(launches, time.nowMs())
    return launches
  }

  return {
    send: (message, bytes, taken) => {
      const fits = underWayBytes + bytes <= sendBufferBytes || underWayBytes === 0
      underWayBytes += bytes
      const later = fits ? undefined : taken
      if (fits) taken()
      if (isDead) return
      if (held !== undefined) held.push(() => launch(message, bytes, later))
      else if (isBlocked(link.conditions, direction)) hold().push(() => launch(message, bytes, later))
      else launch(message, bytes, later)
    },
    die: () => {
      isDead = true
    }
  }
}
