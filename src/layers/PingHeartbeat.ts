/** Heartbeat by WebSocket pings whose payload is the hash of the running configuration. */
import { Effect, Layer, Queue, SubscriptionRef } from "effect"
import { pingIntervalMs, silenceLimitMs } from "../model/Wire.ts"
import { type ClusterSocket, SessionEnd } from "../services/ClusterDialer.ts"
import { Heartbeat } from "../services/Heartbeat.ts"
import { LiveConfig } from "../services/LiveConfig.ts"

const make = Effect.gen(function* () {
  const live = yield* LiveConfig
  // One mark is enough: a ping tells the newest hash, however many configurations came before it.
  const announcements = yield* Queue.sliding<void>(1)

  const pingNow = Effect.fnUntraced(function* (socket: ClusterSocket) {
    const { hash } = yield* SubscriptionRef.get(live.state)
    yield* socket.ping(hash)
  })

  const nextOccasion = Queue.take(announcements).pipe(
    Effect.timeoutOrElse({ duration: pingIntervalMs, orElse: () => Effect.void })
  )

  const beat = (socket: ClusterSocket) => Effect.forever(Effect.andThen(pingNow(socket), nextOccasion))

  const watch = (seen: Queue.Dequeue<void>) =>
    Effect.forever(
      Queue.take(seen).pipe(
        Effect.timeoutOrElse({
          duration: silenceLimitMs,
          orElse: () =>
            Effect.fail(
              new SessionEnd({ reason: "silent", message: `nothing received for ${silenceLimitMs / 1000} s` })
            )
        })
      )
    )

  return Heartbeat.of({ beat, watch, announce: Effect.asVoid(Queue.offer(announcements, undefined)) })
})

export const layer: Layer.Layer<Heartbeat, never, LiveConfig> = Layer.effect(Heartbeat, make)
