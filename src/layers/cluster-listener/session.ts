/**
 * One session with a data plane, from its first frame to its end: reference `hybrid-protocol-v1.md` §8.
 *
 * The order is the protocol's: `basic_info`, version check, record, full configuration, then pings one way and pushes
 * the other until either side gives up. The configuration goes out on every connect, whatever hash the node has.
 */

import { Clock, Data, Effect, Queue } from "effect"
import { checkPlugins, checkVersions, type SyncStatus } from "../../model/Compatibility.ts"
import {
  goingAway,
  internalError,
  normalClosure,
  policyViolation,
  protocolError,
  tryAgainLater
} from "../../model/closeCodes.ts"
import { type DataPlaneRecord, newRecord } from "../../model/Fleet.ts"
import { type BasicInfo, decodeBasicInfo, decodeErrorReport, isConfigHash, silenceLimitMs } from "../../model/Wire.ts"
import { ClusterHub, type Member } from "../../services/control/ClusterHub.ts"
import { type Payload, Payloads } from "../../services/control/Payloads.ts"
import { Registry } from "../../services/control/Registry.ts"
import { Settings } from "../../services/Settings.ts"
import type { Peer } from "./Peer.ts"
import type { RefusalLog } from "./RefusalLog.ts"

/** The end of a session that was. */
class SessionEnded extends Data.TaggedError("SessionEnded")<{ readonly reason: string; readonly code: number }> {}

/** No session came about. */
class SessionRefused extends Data.TaggedError("SessionRefused")<{ readonly reason: string; readonly code: number }> {}

const firstFrameLimitMs = 5_000
const shownSections = 3

const end = (reason: string, code = protocolError) => Effect.fail(new SessionEnded({ reason, code }))

const refuse = (reason: string, code = protocolError) => Effect.fail(new SessionRefused({ reason, code }))

/** The facts of a connection that the record takes over. */
const noteConnection = (peer: Peer, info: BasicInfo, syncStatus: SyncStatus) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const nowMs = yield* Clock.currentTimeMillis
    const { nodeId: id, ...identity } = peer.identity
    const facts = { id, ...identity, labels: info.labels ?? {} }
    yield* registry.update(id, (known) => ({
      ...(known ?? newRecord(facts, nowMs)),
      ...facts,
      lastSeenMs: nowMs,
      updatedAtMs: nowMs,
      syncStatus,
      lastError: undefined,
      notSent: undefined
    }))
  })

const note = (peer: Peer, facts: Partial<DataPlaneRecord>) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const nowMs = yield* Clock.currentTimeMillis
    const { nodeId: id, ...identity } = peer.identity
    yield* registry.update(id, (known) => ({
      ...(known ?? newRecord({ id, ...identity, labels: {} }, nowMs)),
      ...facts,
      updatedAtMs: nowMs
    }))
  })

const firstFrame = Effect.fnUntraced(function* (peer: Peer) {
  const event = yield* Queue.take(peer.events).pipe(
    Effect.timeoutOrElse({ duration: firstFrameLimitMs, orElse: () => refuse("no first frame within 5 s") })
  )
  if (event._tag === "Closed") return yield* refuse(event.reason, normalClosure)
  if (event._tag !== "Binary") return yield* refuse("the first frame is not binary")
  const decoded = decodeBasicInfo(event.bytes)
  return decoded._tag === "Right" ? decoded.message : yield* refuse("the first frame is no basic_info")
})

const noteErrorReport = Effect.fnUntraced(function* (peer: Peer, bytes: Uint8Array) {
  const decoded = decodeErrorReport(bytes)
  if (decoded._tag === "Wrong") return yield* end("unexpected binary frame")
  const { name, source, message = "", config_hash } = decoded.message
  yield* note(peer, {
    lastError: { atMs: yield* Clock.currentTimeMillis, name, message }
  })
  // Its message may quote the configuration, which is not for the log; the fleet view shows it.
  yield* Effect.logWarning("data plane refused the configuration").pipe(
    Effect.annotateLogs({ error: name, source: source ?? "", hash: config_hash ?? "" })
  )
})

/** The hash that the next ping carries; error reports in between are noted. */
const nextPing = (peer: Peer): Effect.Effect<string, SessionEnded, Registry> =>
  Effect.gen(function* () {
    while (true) {
      const event = yield* Queue.take(peer.events)
      if (event._tag === "Closed") return yield* end(event.reason, normalClosure)
      if (event._tag === "Text") return yield* end("unexpected text frame")
      if (event._tag === "Binary") yield* noteErrorReport(peer, event.bytes)
      else if (isConfigHash(event.text)) return event.text
      else return yield* end("ping without a hash of 32 characters")
    }
  })

const readPings = Effect.fnUntraced(function* (peer: Peer) {
  const registry = yield* Registry
  // Kept here as well: a node whose id is no UUID has no record, and would seem to change with each ping.
  let last = (yield* registry.find(peer.identity.nodeId))?.configHash
  while (true) {
    const configHash = yield* nextPing(peer).pipe(
      Effect.timeoutOrElse({ duration: silenceLimitMs, orElse: () => end("no ping for 45 s", policyViolation) })
    )
    yield* peer.pong
    const lastSeenMs = yield* Clock.currentTimeMillis
    const isChange = last !== configHash
    last = configHash
    // A node that runs another configuration than before has got over its last refusal.
    yield* note(peer, isChange ? { configHash, lastSeenMs, lastError: undefined } : { lastSeenMs })
    if (isChange)
      yield* Effect.logInfo("data plane runs another configuration").pipe(Effect.annotateLogs({ hash: configHash }))
  }
})

/** An oversized message would only end the session, and again after every reconnect. */
const sizeProblem = (payload: Payload, maxBytes: number): string | undefined => {
  if (payload.bytes.length <= maxBytes) return undefined
  const largest = payload.sections.slice(0, shownSections).map(({ name, rows }) => `${rows} ${name}`)
  return `${payload.bytes.length} bytes compressed, cluster_max_payload is ${maxBytes}; most of it: ${largest.join(", ")}`
}

const refuseToSend = Effect.fnUntraced(function* (
  peer: Peer,
  payload: Payload,
  reason: string,
  syncStatus?: SyncStatus
) {
  yield* note(peer, syncStatus === undefined ? { notSent: reason } : { notSent: reason, syncStatus })
  yield* Effect.logWarning("configuration not sent").pipe(Effect.annotateLogs({ reason, hash: payload.hash }))
})

const sendPending = Effect.fnUntraced(function* (peer: Peer, member: Member, info: BasicInfo) {
  const maxBytes = (yield* Settings).cluster_max_payload
  const hub = yield* ClusterHub
  while (true) {
    const payload = yield* Queue.take(member.pending)
    const tooLarge = sizeProblem(payload, maxBytes)
    const verdict = checkPlugins({ configured: payload.plugins, control: [], data: info.plugins })
    if (tooLarge !== undefined) yield* refuseToSend(peer, payload, tooLarge)
    else if (verdict._tag === "Incompatible") yield* refuseToSend(peer, payload, verdict.reason, verdict.status)
    else {
      yield* peer.send(payload.bytes).pipe(Effect.catchTag("SendFailed", ({ reason }) => end(reason, normalClosure)))
      yield* hub.sent(payload.bytes.length)
      yield* note(peer, { syncStatus: "normal", notSent: undefined })
    }
  }
})

const serve = Effect.fnUntraced(function* (peer: Peer) {
  const settings = yield* Settings
  const hub = yield* ClusterHub
  const payloads = yield* Payloads
  const info = yield* firstFrame(peer)
  const verdict = checkVersions(settings.kong_version, peer.identity.version)
  if (verdict._tag === "Incompatible") {
    yield* noteConnection(peer, info, verdict.status)
    return yield* refuse(verdict.reason, policyViolation)
  }
  yield* noteConnection(peer, info, "unknown")
  // Joined before the newest is asked for, so that no change falls between the two.
  const member = yield* hub.join(peer.identity.nodeId)
  yield* Effect.logInfo("data plane connected").pipe(
    Effect.annotateLogs(verdict.note === undefined ? {} : { note: verdict.note })
  )
  const offerNewest = payloads.newest.pipe(
    Effect.flatMap((payload) => hub.offer(member, payload)),
    Effect.catchTag("StoreFailed", (error) => end(error.message, tryAgainLater)),
    Effect.andThen(sendPending(peer, member, info))
  )
  return yield* Effect.raceFirst(readPings(peer), offerNewest)
}, Effect.scoped)

/** Runs until the session ends; an interruption says goodbye too. */
export const runSession = (
  peer: Peer,
  logRefusal: RefusalLog
): Effect.Effect<void, never, Settings | Registry | ClusterHub | Payloads> => {
  const { nodeId: node_id, hostname: node_hostname, version: node_version, ip } = peer.identity
  const facts = { node_id, node_hostname, node_version, ip }
  return serve(peer).pipe(
    Effect.catchTag("SessionEnded", ({ reason, code }) =>
      Effect.logInfo("data plane disconnected").pipe(Effect.annotateLogs({ reason }), Effect.andThen(peer.close(code)))
    ),
    Effect.catchTag("SessionRefused", ({ reason, code }) =>
      Effect.andThen(logRefusal({ ...facts, reason }), peer.close(code))
    ),
    Effect.catchDefect((defect) =>
      Effect.logError("session failed", defect).pipe(Effect.andThen(peer.close(internalError)))
    ),
    Effect.onInterrupt(() => peer.close(goingAway)),
    Effect.annotateLogs(facts),
    Effect.asVoid
  )
}
