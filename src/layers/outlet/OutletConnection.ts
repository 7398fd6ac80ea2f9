/**
 * Connection over `/v1/outlet`: carries out what the session machine wants done (`model/session/step.ts`) and brings every
 * outcome back to it. One queue of events, one fiber that steps; nothing is decided here.
 *
 * Whatever takes time (a dial, a write, an apply) runs beside, so that no step waits for another. What belongs to one dial
 * ends with it; a configuration that is being applied outlives its session (`hybrid-protocol-v1.md` §6.11).
 */
import { createHash } from "node:crypto"
import { Effect, Fiber, Layer, Queue, type Scope, Stream, SubscriptionRef } from "effect"
import { effectiveSettings } from "../../model/parseSettings.ts"
import { rejectionReport } from "../../model/RejectionReport.ts"
import type { Action } from "../../model/session/Action.ts"
import type { SessionEvent } from "../../model/session/Event.ts"
import { persistPatienceMs } from "../../model/session/limits.ts"
import { initialState, nextDeadlineMs, step } from "../../model/session/step.ts"
import { messageOf } from "../../model/thrown.ts"
import { encodeBasicInfo, encodeErrorReport } from "../../model/Wire.ts"
import { ClusterDialer, type ClusterSocket, type Frame, SessionEnd } from "../../services/ClusterDialer.ts"
import type { ConfigCacheError } from "../../services/ConfigCache.ts"
import { type ApplyOutcome, ConfigReceiver } from "../../services/ConfigReceiver.ts"
import { Connection } from "../../services/Connection.ts"
import type { ConnectionStatus } from "../../services/ConnectionStatus.ts"
import { Heartbeat } from "../../services/Heartbeat.ts"
import { LiveConfig, type LiveState } from "../../services/LiveConfig.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import type { NodeHealth } from "../../services/NodeHealth.ts"
import type { ReconnectPolicy } from "../../services/ReconnectPolicy.ts"
import { Settings } from "../../services/Settings.ts"
import type { TrustedClock } from "../../services/TrustedClock.ts"
import { makeDelays } from "./delays.ts"
import { makeTeller } from "./teller.ts"

type Untimed<E> = E extends SessionEvent ? Omit<E, "nowMs"> : never

interface OpenDial {
  readonly dial: number
  socket: ClusterSocket | undefined
  scope: Scope.Scope | undefined
  fiber: Fiber.Fiber<void> | undefined
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const introduction = (settings: Settings["Service"]): Uint8Array =>
  encodeBasicInfo({
    plugins: [],
    process_conf: effectiveSettings(settings),
    filters: {},
    ...(Object.keys(settings.cluster_dp_labels).length === 0 ? {} : { labels: settings.cluster_dp_labels })
  })

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const dialer = yield* ClusterDialer
  const receiver = yield* ConfigReceiver
  const heartbeat = yield* Heartbeat
  const live = yield* LiveConfig
  const delays = yield* makeDelays
  const tell = yield* makeTeller
  const basicInfo = introduction(settings)
  /** Outlives a defect of the driver's: what was under way is begun again. */
  let state = initialState
  let rejections = 0

  const drive = Effect.gen(function* () {
    const scope = yield* Effect.scope
    const events = yield* Queue.unbounded<SessionEvent>()
    let current: OpenDial | undefined
    let writing: Fiber.Fiber<void, ConfigCacheError> | undefined
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => (writing === undefined ? Effect.void : Fiber.await(writing))).pipe(
        Effect.interruptible,
        Effect.timeoutOption(persistPatienceMs)
      )
    )

    const post = (event: Untimed<SessionEvent>): Effect.Effect<void> =>
      Effect.map(monotonicMs, (nowMs) => void Queue.offerUnsafe(events, { ...event, nowMs } as SessionEvent))
    const beside = (work: Effect.Effect<unknown>) => Effect.forkIn(work, scope, { startImmediately: true })
    const alarm = yield* heartbeat.alarm(post({ _tag: "tick" }))

    // --- one dial, and what is said over it ---

    const ended = (dial: number) => (end: SessionEnd) => post({ _tag: "ended", dial, end })

    /** A defect of ours costs the session, never the connection's life. */
    const settled = <E extends SessionEnd>(work: Effect.Effect<void, E>, dial: number): Effect.Effect<void> =>
      work.pipe(
        Effect.catchDefect((defect) =>
          Effect.fail(new SessionEnd({ reason: "broken", message: `defect: ${messageOf(defect)}` }))
        ),
        Effect.catch(ended(dial))
      )

    const onFrame = (dial: number, frame: Frame): Effect.Effect<void> => {
      if (frame._tag === "Binary")
        return post({ _tag: "frame", dial, payload: { bytes: frame.bytes, digest: digest(frame.bytes) } })
      const sign = post({ _tag: "frame", dial })
      return frame._tag === "Text" ? Effect.andThen(Effect.logDebug("text frame ignored"), sign) : sign
    }

    const dialAndRead = Effect.fnUntraced(function* (open: OpenDial) {
      const { dial } = open
      open.scope = yield* Effect.scope
      const socket = yield* dialer.dial
      open.socket = socket
      yield* post({ _tag: "opened", dial })
      return yield* Effect.forever(Effect.flatMap(Queue.take(socket.frames), (frame) => onFrame(dial, frame)))
    }, Effect.scoped)

    const dial = Effect.fnUntraced(function* (number: number) {
      const open: OpenDial = { dial: number, socket: undefined, scope: undefined, fiber: undefined }
      current = open
      open.fiber = yield* beside(settled(dialAndRead(open), number)) as Effect.Effect<Fiber.Fiber<void>>
    })

    const hangUp = (number: number): void => {
      if (current?.dial !== number) return
      current.fiber?.interruptUnsafe()
      current = undefined
    }

    /** Written in the order of the actions, for each write begins at once. */
    const over = (dial: number, write: (socket: ClusterSocket) => Effect.Effect<void, SessionEnd>) => {
      if (current?.dial !== dial || current.socket === undefined || current.scope === undefined) return Effect.void
      return Effect.forkIn(settled(write(current.socket), dial), current.scope, { startImmediately: true })
    }

    // --- configurations ---

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

    /** A write that has begun can't be interrupted: it has a life of its own, so that a dead disk stops no stop. */
    const written = (hash: string) =>
      Effect.gen(function* () {
        writing = yield* Effect.forkDetach(receiver.persist(hash), { startImmediately: true })
        return yield* Fiber.join(writing)
      })

    const persist = (hash: string) =>
      written(hash).pipe(
        Effect.matchEffect({
          onSuccess: () => post({ _tag: "persisted" }),
          onFailure: ({ file, message }: ConfigCacheError) =>
            post({ _tag: "persistFailed", message: `${file}: ${message}` })
        }),
        Effect.catchDefect((defect) => post({ _tag: "persistFailed", message: messageOf(defect) }))
      )

    const carryOut = (action: Action): Effect.Effect<unknown> => {
      switch (action._tag) {
        case "dial":
          return dial(action.dial)
        case "greet":
          return over(action.dial, (socket) =>
            Effect.andThen(socket.send(basicInfo), post({ _tag: "greeted", dial: action.dial }))
          )
        case "ping":
          return over(action.dial, (socket) => heartbeat.ping(socket, action.hash))
        case "report":
          return over(action.dial, (socket) =>
            Effect.andThen(
              socket.send(encodeErrorReport(rejectionReport(action.rejection))),
              post({ _tag: "reported", id: action.rejection.id })
            )
          )
        case "hangUp":
          return Effect.sync(() => hangUp(action.dial))
        case "chooseDelay":
          return beside(
            Effect.flatMap(delays.next(action.end, action.isFresh), (delayMs) => post({ _tag: "delayChosen", delayMs }))
          )
        case "apply":
          return beside(
            Effect.flatMap(receiver.apply(action.payload, action.refused), (outcome) =>
              Effect.andThen(tell.outcome(outcome), post(outcomeEvent(outcome)))
            )
          )
        case "persist":
          return beside(persist(action.hash))
        case "tell":
          return tell.change(action.change)
      }
    }

    /** What a person or a rung put in place; what comes from the control plane has an outcome of its own. */
    const followOthers = SubscriptionRef.changes(live.state).pipe(
      Stream.filter(({ source }) => source !== "control_plane"),
      Stream.changesWith((a: LiveState, b: LiveState) => a.hash === b.hash),
      Stream.runForEach(({ hash }) => post({ _tag: "served", hash })),
      Effect.andThen(Effect.never)
    )

    /** News of what served for a moment, which something newer has overtaken. */
    const isStale = (event: SessionEvent): boolean =>
      event._tag === "served" && SubscriptionRef.getUnsafe(live.state).hash !== event.hash

    const turn = Effect.gen(function* () {
      const event = yield* Queue.take(events)
      if (isStale(event)) return
      const [next, actions] = step(state, event)
      state = next
      for (const action of actions) yield* carryOut(action)
      yield* alarm.set(nextDeadlineMs(state))
    })

    yield* post({ _tag: "served", hash: SubscriptionRef.getUnsafe(live.state).hash })
    yield* post({ _tag: "started" })
    return yield* Effect.raceFirst(Effect.forever(turn), followOthers)
  })

  return Connection.of({ run: Effect.scoped(drive) })
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
  | ReconnectPolicy
  | TrustedClock
> = Layer.effect(Connection, make)
