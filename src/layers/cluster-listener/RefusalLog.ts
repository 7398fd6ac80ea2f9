/**
 * Refusals, told once each and then counted: a node that is turned away comes back every few seconds, and a day of that
 * must not be ten thousand lines. Whoever dials from ever new addresses is no reason for more either: in all, too, so many
 * are told in a while, and the others are counted.
 */
import { Effect } from "effect"
import { monotonicMs } from "../../services/monotonic.ts"

export interface Refusal {
  readonly ip: string
  readonly reason: string
  readonly [fact: string]: string
}

export type RefusalLog = (refusal: Refusal) => Effect.Effect<void>

const summaryIntervalMs = 300_000
/** In one interval, whatever they are about. The last one says that the others are counted. */
const linesMax = 100
/** Whoever dials from ever new addresses must not fill the memory: what was told longest ago is forgotten. */
const keysMax = 1_000

interface Told {
  /** By the monotonic clock. */
  readonly atMs: number
  readonly unsaid: number
}

/** Which refusals were told, and how often the same came again since. */
const makeTold = () => {
  const told = new Map<string, Told>()
  return {
    /** True when it was told a short while ago, and is counted now. */
    count: (key: string, nowMs: number): boolean => {
      const before = told.get(key)
      if (before === undefined || nowMs - before.atMs >= summaryIntervalMs) return false
      told.set(key, { ...before, unsaid: before.unsaid + 1 })
      return true
    },
    /** How often it came since it was told before. */
    tell: (key: string, nowMs: number): number | undefined => {
      const before = told.get(key)
      // Told last, it stands last.
      told.delete(key)
      told.set(key, { atMs: nowMs, unsaid: 0 })
      const [oldest] = told.keys()
      if (told.size > keysMax && oldest !== undefined) told.delete(oldest)
      return before === undefined ? undefined : before.unsaid + 1
    }
  }
}

/** What the interval leaves for a line: which one it is, and how many before it were not told. */
interface Line {
  readonly isLast: boolean
  readonly untold: number
}

const makeLines = () => {
  let [beganMs, lines, untold] = [Number.NEGATIVE_INFINITY, 0, 0]
  return (nowMs: number): Line | undefined => {
    if (nowMs - beganMs >= summaryIntervalMs) [beganMs, lines] = [nowMs, 0]
    if (lines >= linesMax) {
      untold++
      return undefined
    }
    const line = { isLast: ++lines === linesMax, untold }
    untold = 0
    return line
  }
}

/** `event` is how a refusal is told. */
export const makeRefusalLogOf = (event: Effect.Effect<void>): Effect.Effect<RefusalLog> =>
  Effect.sync(() => {
    const told = makeTold()
    const nextLine = makeLines()
    return Effect.fnUntraced(function* (refusal) {
      const key = `${refusal.ip} ${refusal.reason}`
      const nowMs = yield* monotonicMs
      if (told.count(key, nowMs)) return
      const line = nextLine(nowMs)
      if (line === undefined) return
      const times = told.tell(key, nowMs)
      yield* event.pipe(
        Effect.annotateLogs({
          ...refusal,
          ...(times === undefined ? {} : { times_since: times }),
          ...(line.untold === 0 ? {} : { others_untold: line.untold }),
          ...(line.isLast ? { others: "counted from here on, for up to five minutes" } : {})
        })
      )
    })
  })

export const makeRefusalLog = makeRefusalLogOf(Effect.logWarning("data plane refused"))
