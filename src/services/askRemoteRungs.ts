/**
 * The rungs that need the network, while they are worth asking: the control plane can't be reached (its first dial has
 * failed, or its session was lost), and what serves is worse than what they might have. Again and again while that is so,
 * with jitter, for a whole fleet may be asking (`DESIGN.md`, "The life of a node", 3; reference `resilience.md` §5.5).
 */
import { Duration, Effect, Random, Stream, SubscriptionRef } from "effect"
import { inOrder, isBetter, preferenceOf } from "../model/SourcePreference.ts"
import { ConnectionStatus } from "./ConnectionStatus.ts"
import { makeRemoteKeeper } from "./keepRemote.ts"
import { serveRung } from "./Ladder.ts"
import { LiveConfig } from "./LiveConfig.ts"
import { RemoteRungs, type Rung, type RungAnswer } from "./Rung.ts"
import { Settings } from "./Settings.ts"

export const remotePauseMinMs = 5_000
export const remotePauseMaxMs = 10_000
/** A rung that does not answer is passed over for this time. */
export const remotePatienceMs = 30_000

const patiently = ({ source, offer }: Rung): Rung => {
  const reason = `no answer in ${remotePatienceMs / 1000} s`
  const late = () => Effect.succeed<RungAnswer>({ _tag: "Nothing", reason })
  return { source, offer: Effect.timeoutOrElse(offer, { duration: remotePatienceMs, orElse: late }) }
}

/** Runs for as long as the node does. */
export const askRemoteRungs = Effect.gen(function* () {
  const settings = yield* Settings
  const live = yield* LiveConfig
  const connection = yield* ConnectionStatus
  const { keep } = yield* makeRemoteKeeper
  const preference = preferenceOf(settings)
  const rungs = inOrder(preference, yield* RemoteRungs).map(patiently)

  const due = Effect.gen(function* () {
    const { source } = yield* SubscriptionRef.get(live.state)
    const { _tag } = yield* SubscriptionRef.get(connection)
    return _tag === "disconnected" ? rungs.filter((rung) => isBetter(preference, rung.source, source)) : []
  })

  const untilDue = Stream.merge(SubscriptionRef.changes(connection), SubscriptionRef.changes(live.state)).pipe(
    Stream.mapEffect(() => due),
    Stream.filter((asked) => asked.length > 0),
    Stream.take(1),
    Stream.runDrain
  )

  const ask = Effect.gen(function* () {
    for (const rung of yield* due) {
      const climb = yield* serveRung(live, rung)
      if (climb._tag !== "Serves") continue
      return yield* keep(climb.applied.snapshot)
    }
  })

  const pause = Effect.flatMap(Random.nextBetween(remotePauseMinMs, remotePauseMaxMs), (ms) =>
    Effect.sleep(Duration.millis(ms))
  )

  if (rungs.length === 0) return yield* Effect.never
  return yield* Effect.forever(untilDue.pipe(Effect.andThen(ask), Effect.andThen(pause)))
}).pipe(Effect.scoped)
