/** Heartbeat by WebSocket pings, and by one sleeping fiber. */
import { Effect, FiberHandle, Layer } from "effect"
import { Heartbeat } from "../services/Heartbeat.ts"
import { monotonicMs } from "../services/monotonic.ts"

/** To the microsecond: a wait of next to nothing would wake before its time, again and again. */
const roundedUp = (ms: number): number => Math.ceil(ms * 1_000) / 1_000

/**
 * Every received frame moves a deadline on; a timer made anew for each would be most of the work. So a timer is left
 * alone when the deadline moves away: it wakes early, sees that, and sleeps on.
 */
const alarm = Effect.fnUntraced(function* (ring: Effect.Effect<void>) {
  const timer = yield* FiberHandle.make<void>()
  let deadlineMs: number | undefined
  let wakesAtMs: number | undefined

  const sleep: Effect.Effect<void> = Effect.gen(function* () {
    while (deadlineMs !== undefined) {
      const nowMs = yield* monotonicMs
      if (nowMs >= deadlineMs) {
        deadlineMs = undefined
        wakesAtMs = undefined
        return yield* ring
      }
      wakesAtMs = deadlineMs
      yield* Effect.sleep(roundedUp(deadlineMs - nowMs))
    }
    wakesAtMs = undefined
  })

  const set = (next: number | undefined) => {
    deadlineMs = next
    if (next === undefined || (wakesAtMs !== undefined && wakesAtMs <= next)) return Effect.void
    wakesAtMs = next
    return Effect.asVoid(FiberHandle.run(timer, sleep))
  }
  return { set: (next: number | undefined) => Effect.suspend(() => set(next)) }
})

export const layer: Layer.Layer<Heartbeat> = Layer.succeed(Heartbeat, {
  ping: (socket, hash) => socket.ping(hash),
  alarm
})
