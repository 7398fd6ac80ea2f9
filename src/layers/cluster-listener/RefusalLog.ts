/**
 * Refusals, told once each and then counted: a node that is turned away comes back every few seconds, and a day of that
 * must not be ten thousand lines.
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
/** Whoever dials from ever new addresses must not fill the memory. */
const keysMax = 1_000

interface Told {
  /** By the monotonic clock. */
  readonly atMs: number
  readonly unsaid: number
}

/** `event` is how a refusal is told. */
export const makeRefusalLogOf = (event: Effect.Effect<void>): Effect.Effect<RefusalLog> =>
  Effect.sync(() => {
    const told = new Map<string, Told>()
    return Effect.fnUntraced(function* (refusal) {
      const key = `${refusal.ip} ${refusal.reason}`
      const nowMs = yield* monotonicMs
      const before = told.get(key)
      if (before !== undefined && nowMs - before.atMs < summaryIntervalMs) {
        told.set(key, { ...before, unsaid: before.unsaid + 1 })
        return
      }
      if (told.size >= keysMax) told.clear()
      told.set(key, { atMs: nowMs, unsaid: 0 })
      yield* event.pipe(
        Effect.annotateLogs({ ...refusal, ...(before === undefined ? {} : { times_since: before.unsaid + 1 }) })
      )
    })
  })

export const makeRefusalLog = makeRefusalLogOf(Effect.logWarning("data plane refused"))
