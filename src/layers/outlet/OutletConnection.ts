/**
 * Connection over `/v1/outlet`: carries out what the session machine wants done (`model/session/step.ts`) and brings every
 * outcome back to it. One queue of events, one fiber that steps; nothing is decided here.
 *
 * Whatever takes time (a dial, a write, an apply) runs beside, so that no step waits for another. A configuration that is
 * being applied outlives its session (`hybrid-protocol-v1.md` §6.11).
 */
import { Context, Effect, FiberHandle, Layer, Queue, Stream, SubscriptionRef } from "effect"
import { effectiveSettings } from "../../model/parseSettings.ts"
import { rejectionReport } from "../../model/RejectionReport.ts"
import type { Action } from "../../model/session/Action.ts"
import type { SessionEvent } from "../../model/session/Event.ts"
import { initialState, nextDeadlineMs, step } from "../../model/session/step.ts"
import { messageOf } from "../../model/thrown.ts"
import { encodeBasicInfo, encodeErrorReport } from "../../model/Wire.ts"
import { ClusterDialer } from "../../services/ClusterDialer.ts"
import { type ApplyOutcome, ConfigReceiver } from "../../services/ConfigReceiver.ts"
import { Connection } from "../../services/Connection.ts"
import type { ConnectionStatus } from "../../services/ConnectionStatus.ts"
import { Heartbeat } from "../../services/Heartbeat.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import type { NodeHealth } from "../../services/NodeHealth.ts"
import { Plugins } from "../../services/Plugins.ts"
import { ReconnectPolicy } from "../../services/ReconnectPolicy.ts"
import { makeDelays } from "../../services/reconnectDelays.ts"
import { Settings } from "../../services/Settings.ts"
import type { TrustedClock } from "../../services/TrustedClock.ts"
import { makeDials } from "./dials.ts"
import type { Post, Untimed } from "./post.ts"
import { makeTeller } from "./teller.ts"
import { makeWrites } from "./writes.ts"

/** Without versions: a control plane that has some must not compare them with ours (`hybrid-protocol-v1.md` §3, §9.2). */
const pluginsOf = (plugins: Plugins["Service"]) =>
  [...plugins.keys()]
    .map((name) => ({ name, place: name.toLowerCase() }))
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ name }) => ({ name }))

const introduction = (settings: Settings["Service"], plugins: Plugins["Service"]): Uint8Array =>
  encodeBasicInfo({
    plugins: pluginsOf(plugins),
    process_conf: effectiveSettings(settings),
    filters: {},
    ...(Object.keys(settings.cluster_dp_labels).length === 0 ? {} : { labels: settings.cluster_dp_labels })
  })

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const receiver = yield* ConfigReceiver
  const heartbeat = yield* Heartbeat
  const live = yield* LiveConfig
  const tell = yield* makeTeller
  const parts = Context.make(ConfigReceiver, receiver).pipe(
    Context.add(ClusterDialer, yield* ClusterDialer),
    Context.add(ReconnectPolicy, yield* ReconnectPolicy)
  )
  const basicInfo = introduction(settings, yield* Plugins)
  /** Outlives a defect of the driver's: what was under way is begun again. */
  let state = initialState
  let rejections = 0

  const drive = Effect.gen(function* () {
    const scope = yield* Effect.scope
    const events = yield* Queue.unbounded<SessionEvent>()
    const post: Post = (event) =>
      Effect.map(monotonicMs, (nowMs) => void Queue.offerUnsafe(events, { ...event, nowMs } as SessionEvent))
    const beside = (work: Effect.Effect<unknown>) => Effect.forkIn(work, scope, { startImmediately: true })
    const alarm = yield* heartbeat.alarm(post({ _tag: "tick" }))
    const delays = yield* makeDelays
    const dials = yield* makeDials(post)
    const writes = yield* makeWrites(post, () => state)
    /** One at most: an embedder's policy that never answers is given up with the next question. */
    const choosing = yield* FiberHandle.make<void>()

    const outcomeEvent = (outcome: ApplyOutcome): Untimed<SessionEvent> => {
      switch (outcome._tag) {
        case "failed":
          return { _tag: "applyFailed" }
        case "refused": {
          const { content, rejected } = outcome
          // Only a control plane that asks is told (§7): others end the session over it.
          if (rejected === undefined || !settings.konnect_mode) return { _tag: "refused", content }
          const { hash, faults } = rejected
          return { _tag: "refused", content, rejection: { id: ++rejections, hash, faults } }
        }
        default:
          return outcome
      }
    }

    const apply = ({ payload, refused }: Extract<Action, { readonly _tag: "apply" }>) =>
      Effect.suspend(() => receiver.apply(payload, refused)).pipe(
        Effect.catchDefect((defect) =>
          Effect.logError("applying a configuration failed", defect).pipe(
            Effect.as<ApplyOutcome>({ _tag: "failed", message: messageOf(defect) })
          )
        ),
        Effect.flatMap((outcome) => Effect.andThen(tell.outcome(outcome), post(outcomeEvent(outcome))))
      )

    const carryOut = (action: Action): Effect.Effect<unknown> => {
      switch (action._tag) {
        case "dial":
          return dials.dial(action.dial)
        case "greet":
          return dials.over(action.dial, (socket) =>
            Effect.andThen(socket.send(basicInfo), post({ _tag: "greeted", dial: action.dial }))
          )
        case "ping":
          return dials.over(action.dial, (socket) => heartbeat.ping(socket, action.hash))
        case "report":
          return dials.over(action.dial, (socket) =>
            Effect.andThen(
              socket.send(encodeErrorReport(rejectionReport(action.rejection))),
              post({ _tag: "reported", id: action.rejection.id })
            )
          )
        case "hangUp":
          return dials.hangUp(action.dial)
        case "chooseDelay":
          return FiberHandle.run(
            choosing,
            Effect.flatMap(delays.next(action.end, action.isFresh), (delayMs) => post({ _tag: "delayChosen", delayMs }))
          )
        case "apply":
          return beside(apply(action))
        case "persist":
          return beside(writes.persist(action.hash))
        case "tell":
          return tell.change(action.change)
      }
    }

    /** What a person or a rung put in place; what comes from the control plane has an outcome of its own. */
    const followOthers = SubscriptionRef.changes(live.state).pipe(
      Stream.filter(({ source }) => source !== "control_plane"),
      Stream.runForEach(({ hash }) => post({ _tag: "served", hash })),
      Effect.andThen(Effect.never)
    )

    /** News of what served for a moment, which something newer has overtaken. */
    const isStale = (event: SessionEvent): boolean => {
      const { hash, source } = SubscriptionRef.getUnsafe(live.state)
      return event._tag === "served" && (hash !== event.hash || source === "control_plane")
    }

    const turn = Effect.gen(function* () {
      const event = yield* Queue.take(events)
      if (isStale(event)) return
      const [next, actions] = step(state, event)
      state = next
      for (const action of actions) yield* carryOut(action)
      yield* alarm.set(nextDeadlineMs(state))
    })

    // First of all: the first ping is to carry what serves already.
    yield* post({ _tag: "served", hash: SubscriptionRef.getUnsafe(live.state).hash })
    yield* post({ _tag: "started" })
    return yield* Effect.raceFirst(Effect.forever(turn), followOthers)
  })

  return Connection.of({ run: drive.pipe(Effect.scoped, Effect.provideContext(parts)) })
})

export const layer: Layer.Layer<
  Connection,
  never,
  | Settings
  | ClusterDialer
  | ConfigReceiver
  | Heartbeat
  | ConnectionStatus
  | LiveConfig
  | NodeHealth
  | Plugins
  | ReconnectPolicy
  | TrustedClock
> = Layer.effect(Connection, make)
