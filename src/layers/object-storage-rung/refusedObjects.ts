/**
 * What lies in a store and did not come to serve, by the tag of the object. The ladder asks every few seconds while nothing
 * better serves: the same object is neither told nor tried again, and is fetched less and less often to see whether it
 * changed. Each further refusal doubles the pause whatever the tag is: whoever writes rubbish every second costs no more than
 * whoever wrote it once.
 *
 * A verdict on the same bytes stands for good. What another day, other keys or another running configuration would change is
 * forgotten after a while.
 */
import { Effect } from "effect"
import { monotonicMs } from "../../services/monotonic.ts"

const firstPauseMs = 10_000
/** To see whether it changed. */
const longestLookPauseMs = 60_000
const longestPauseMs = 300_000
/** For what may serve another day, and what is older than what serves. */
const forgetMs = 300_000
/** What was offered, and nobody said what became of it. */
const forgetOfferedMs = 60_000

export interface Known {
  readonly reason: string
  /** Something newer or better serves, so that there is no use in what lies there without a word of its age. */
  readonly isOutranked: boolean
}

interface Passed extends Known {
  readonly tag: string
  readonly refusals: number
  /** How often it was found unchanged. */
  readonly looks: number
  readonly againAtMs: number
  readonly untilMs: number
}

const doubled = (times: number, longestMs: number) => Math.min(longestMs, firstPauseMs * 2 ** times)

const pauseMs = ({ refusals, looks }: Pick<Passed, "refusals" | "looks">) =>
  Math.max(doubled(Math.max(0, refusals - 1), longestPauseMs), doubled(looks, longestLookPauseMs))

export const makeRefusedObjects = () => {
  const byKey = new Map<string, Passed>()

  const put = (key: string, passed: Omit<Passed, "againAtMs">, nowMs: number) =>
    void byKey.set(key, { ...passed, againAtMs: nowMs + pauseMs(passed) })

  const refusalsOf = (key: string) => byKey.get(key)?.refusals ?? 0

  /** Why it need not even be fetched now. */
  const unchangedYet = (key: string): Effect.Effect<Known | undefined> =>
    Effect.map(monotonicMs, (nowMs) => {
      const known = byKey.get(key)
      return known !== undefined && nowMs < known.againAtMs && nowMs < known.untilMs ? known : undefined
    })

  /** Why what was fetched under this tag is not worth another look. */
  const reasonOf = (key: string, tag: string): Effect.Effect<Known | undefined> =>
    Effect.map(monotonicMs, (nowMs) => {
      const known = byKey.get(key)
      if (known?.tag !== tag || nowMs >= known.untilMs) return undefined
      put(key, { ...known, looks: known.looks + 1 }, nowMs)
      return known
    })

  const keep = (key: string, tag: string, known: Known, refusals: number, forMs: number) =>
    Effect.map(monotonicMs, (nowMs) => put(key, { ...known, tag, refusals, looks: 0, untilMs: nowMs + forMs }, nowMs))

  return {
    unchangedYet,
    reasonOf,
    refused: (key: string, tag: string, reason: string, mayServeYet = false) =>
      Effect.suspend(() => {
        const forMs = mayServeYet ? forgetMs : Number.POSITIVE_INFINITY
        return keep(key, tag, { reason, isOutranked: false }, refusalsOf(key) + 1, forMs)
      }),
    outranked: (key: string, tag: string, reason: string) =>
      Effect.suspend(() => keep(key, tag, { reason, isOutranked: true }, refusalsOf(key), forgetMs)),
    /** Until it is said what became of it. */
    offered: (key: string, tag: string) =>
      Effect.suspend(() => {
        const known = { reason: "it was offered, and did not come to serve", isOutranked: true }
        return keep(key, tag, known, refusalsOf(key), forgetOfferedMs)
      }),
    forget: (key: string) => Effect.sync(() => void byKey.delete(key))
  }
}
