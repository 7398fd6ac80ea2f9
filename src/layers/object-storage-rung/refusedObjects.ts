/**
 * What was refused of a store, by the tag of the object. The ladder asks every few seconds while nothing better serves: the
 * same object is neither told nor tried again, and is fetched less and less often to see whether it changed.
 */
import { Effect } from "effect"
import { monotonicMs } from "../../services/monotonic.ts"

const firstPauseMs = 10_000
const longestPauseMs = 60_000

interface Refused {
  readonly tag: string
  readonly reason: string
  readonly pauseMs: number
  readonly againAtMs: number
}

export const makeRefusedObjects = () => {
  const byKey = new Map<string, Refused>()

  const put = (key: string, tag: string, reason: string, pauseMs: number) =>
    Effect.map(monotonicMs, (nowMs) => {
      byKey.set(key, { tag, reason, pauseMs, againAtMs: nowMs + pauseMs })
    })

  /** Why it need not even be fetched now. */
  const unchangedYet = (key: string): Effect.Effect<string | undefined> =>
    Effect.map(monotonicMs, (nowMs) => {
      const known = byKey.get(key)
      return known !== undefined && nowMs < known.againAtMs ? known.reason : undefined
    })

  /** Why what was fetched under this tag is not worth another look. */
  const reasonOf = (key: string, tag: string): Effect.Effect<string | undefined> =>
    Effect.suspend(() => {
      const known = byKey.get(key)
      if (known?.tag !== tag) return Effect.undefined
      const { reason, pauseMs } = known
      return Effect.as(put(key, tag, reason, Math.min(longestPauseMs, 2 * pauseMs)), reason)
    })

  return {
    unchangedYet,
    reasonOf,
    remember: (key: string, tag: string, reason: string) => put(key, tag, reason, firstPauseMs)
  }
}
