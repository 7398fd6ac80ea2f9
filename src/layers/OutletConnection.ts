/**
 * Connection over `/v1/outlet`. One session at a time, each in a scope of its own; whatever ends it, the reconnect
 * policy says when the next one starts. Reference: `hybrid-protocol-v1.md` §6.
 */
import { Cause, Clock, Effect, Layer, Queue, Stream, SubscriptionRef } from "effect"
import { effectiveSettings } from "../model/parseSettings.ts"
import { rejectionReport } from "../model/RejectionReport.ts"
import { encodeBasicInfo, encodeErrorReport } from "../model/Wire.ts"
import { ClusterDialer, type ClusterSocket, SessionEnd } from "../services/ClusterDialer.ts"
import { ConfigReceiver } from "../services/ConfigReceiver.ts"
import { Connection, type ConnectionState } from "../services/Connection.ts"
import { ConnectionStatus } from "../services/ConnectionStatus.ts"
import { Heartbeat } from "../services/Heartbeat.ts"
import { LiveConfig, type LiveState, type Rejection } from "../services/LiveConfig.ts"
import { ReconnectPolicy, reconnectDelayMaxMs } from "../services/ReconnectPolicy.ts"
import { Settings } from "../services/Settings.ts"

const summaryIntervalMs = 5 * 60_000

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const dialer = yield* ClusterDialer
  const receiver = yield* ConfigReceiver
  const heartbeat = yield* Heartbeat
  const policy = yield* ReconnectPolicy
  const state = yield* ConnectionStatus
  const live = yield* LiveConfig
  let summarisedAtMs = 0
  let reported: Rejection | undefined

  const basicInfo = encodeBasicInfo({
    plugins: [],
    process_conf: effectiveSettings(settings),
    filters: {},
    ...(Object.keys(settings.cluster_dp_labels).length === 0 ? {} : { labels: settings.cluster_dp_labels })
  })

  const becomeConnected = Effect.gen(function* () {
    yield* SubscriptionRef.set(state, { _tag: "connected", sinceMs: yield* Clock.currentTimeMillis })
    yield* Effect.logInfo("control plane connected")
  })

  /** The change is told once, then a summary while it lasts: a day without control plane is not 11,000 lines. */
  const tell = Effect.fnUntraced(function* (before: ConnectionState, end: SessionEnd, nowMs: number, attempts: number) {
    const facts = { reason: end.reason, cause: end.message }
    if (before._tag !== "disconnected") {
      summarisedAtMs = nowMs
      return yield* Effect.logWarning(
        before._tag === "connected"
          ? "control plane lost; serving goes on"
          : "control plane can't be reached; serving goes on"
      ).pipe(Effect.annotateLogs(facts))
    }
    if (nowMs - summarisedAtMs < summaryIntervalMs)
      return yield* Effect.logDebug("dial failed").pipe(Effect.annotateLogs(facts))
    summarisedAtMs = nowMs
    const lasting = { ...facts, attempts, forSeconds: Math.round((nowMs - before.sinceMs) / 1000) }
    return yield* Effect.logWarning("control plane still away; serving goes on").pipe(Effect.annotateLogs(lasting))
  })

  const becomeDisconnected = Effect.fnUntraced(function* (end: SessionEnd) {
    const nowMs = yield* Clock.currentTimeMillis
    const before = yield* SubscriptionRef.get(state)
    const isLonger = before._tag === "disconnected"
    const attempts = isLonger ? before.attempts + 1 : before._tag === "connecting" ? 1 : 0
    const sinceMs = isLonger ? before.sinceMs : nowMs
    yield* SubscriptionRef.set(state, { _tag: "disconnected", sinceMs, attempts, reason: end.message })
    yield* tell(before, end, nowMs, attempts)
  })

  /** Every frame is a sign of life; only binary ones carry something (§2). */
  const readFrames = Effect.fnUntraced(
    function* (socket: ClusterSocket, seen: Queue.Enqueue<void>) {
      const frame = yield* Queue.take(socket.frames)
      yield* Queue.offer(seen, undefined)
      if (frame._tag === "Binary") yield* receiver.receive(frame.bytes)
      if (frame._tag === "Text") yield* Effect.logDebug("text frame ignored")
    },
    (self) => Effect.forever(self)
  )

  /** One that came when no session was there is told in the next. Only a control plane that asks is told (§7). */
  const reportRejections = Effect.fnUntraced(function* (socket: ClusterSocket) {
    if (!settings.konnect_mode) return yield* Effect.never
    const report = Effect.fnUntraced(function* ({ lastRejection }: LiveState) {
      if (lastRejection?.source !== "control_plane" || lastRejection === reported) return
      yield* socket.send(encodeErrorReport(rejectionReport(lastRejection)))
      reported = lastRejection
    })
    yield* Stream.runForEach(SubscriptionRef.changes(live.state), report)
    return yield* Effect.never
  })

  const session = Effect.gen(function* () {
    const socket = yield* dialer.dial
    yield* socket.send(basicInfo)
    yield* becomeConnected
    const seen = yield* Queue.sliding<void>(1)
    return yield* Effect.raceAllFirst([
      readFrames(socket, seen),
      heartbeat.beat(socket),
      heartbeat.watch(seen),
      reportRejections(socket)
    ])
  }).pipe(
    Effect.scoped,
    // A defect of ours costs the session, never the connection's life.
    Effect.catchDefect((defect) =>
      Effect.fail(new SessionEnd({ reason: "broken", message: `defect: ${Cause.pretty(Cause.die(defect))}` }))
    ),
    Effect.tapError(becomeDisconnected)
  )

  // A policy of an embedder's may run out; the promise to try for ever does not.
  const run = session.pipe(
    Effect.retry(policy),
    Effect.catch(() => Effect.sleep(reconnectDelayMaxMs)),
    Effect.forever
  )

  const becomeConnecting = Effect.gen(function* () {
    yield* SubscriptionRef.set(state, { _tag: "connecting", sinceMs: yield* Clock.currentTimeMillis })
  })

  return Connection.of({ run: Effect.andThen(becomeConnecting, run) })
})

export const layer: Layer.Layer<
  Connection,
  never,
  Settings | ClusterDialer | ConfigReceiver | Heartbeat | ConnectionStatus | LiveConfig
> = Layer.effect(Connection, make)
