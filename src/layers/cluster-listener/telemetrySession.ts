/**
 * One telemetry connection of a data plane: a batch, its answer, the next batch, until either side gives up. A node need not
 * have joined: whoever holds a certificate of the cluster is believed what it counted.
 *
 * Whatever is no batch ends the connection, and costs little before that: frames and what they inflate to are bounded, one at a
 * time is read of each connection, and records are read one by one.
 */

import { Data, Effect, Queue } from "effect"
import { goingAway, internalError, normalClosure, policyViolation, protocolError } from "../../model/closeCodes.ts"
import {
  batchMaxBytes,
  encodeAnswer,
  readBatch,
  readRecord,
  type TelemetryAnswer,
  type TelemetryBatch
} from "../../model/telemetry/TelemetryWire.ts"
import { silenceLimitMs } from "../../model/Wire.ts"
import { Compression } from "../../services/Compression.ts"
import { TelemetryStore } from "../../services/control/TelemetryStore.ts"
import type { Peer } from "./Peer.ts"
import type { RefusalLog } from "./RefusalLog.ts"

class ConnectionEnded extends Data.TaggedError("ConnectionEnded")<{ readonly code: number }> {}

/** The other side does not keep to the protocol. */
class Misled extends Data.TaggedError("Misled")<{ readonly reason: string }> {}

/** Frames that wait unread: whoever sends a batch waits for its answer. */
export const telemetryEventsMax = 4

/** How many records are read before others get their turn. */
const recordsAtOnce = 8

const unreadable = new Misled({ reason: "a frame of telemetry is no batch" })

const readAll = Effect.fnUntraced(function* (records: ReadonlyArray<unknown>) {
  const read: Array<TelemetryBatch["records"][number]> = []
  for (const value of records) {
    const record = readRecord(value)
    if (record === undefined) return yield* unreadable
    if (read.push(record) % recordsAtOnce === 0) yield* Effect.yieldNow
  }
  return read
})

const decode = Effect.fnUntraced(function* (frame: Uint8Array) {
  const { gunzip } = yield* Compression
  const json = yield* Effect.mapError(gunzip(frame, batchMaxBytes), () => unreadable)
  const batch = readBatch(json)
  if (batch === undefined) return yield* unreadable
  return { records: yield* readAll(batch.records), spool: batch.spool } satisfies TelemetryBatch
})

/** Acknowledged is what was committed, and nothing before it was. */
const commit = Effect.fnUntraced(function* (nodeId: string, batch: TelemetryBatch) {
  const store = yield* TelemetryStore
  return yield* store.commit(nodeId, batch).pipe(
    Effect.map((acknowledged): TelemetryAnswer => ({ acknowledged })),
    Effect.catch((error) =>
      Effect.logError("telemetry not stored").pipe(
        Effect.annotateLogs({ cause: error.message }),
        Effect.as<TelemetryAnswer>({ error: "not_stored" })
      )
    )
  )
})

const answer = Effect.fnUntraced(function* (peer: Peer, said: TelemetryAnswer) {
  const { gzip } = yield* Compression
  yield* Effect.mapError(peer.send(yield* gzip(encodeAnswer(said))), () => new ConnectionEnded({ code: normalClosure }))
})

const take = Effect.fnUntraced(function* (peer: Peer, frame: Uint8Array) {
  const batch = yield* decode(frame).pipe(
    Effect.tapErrorTag("Misled", () => Effect.ignore(answer(peer, { error: "unreadable" })))
  )
  yield* answer(peer, yield* commit(peer.identity.nodeId, batch))
})

const turn = Effect.fnUntraced(function* (peer: Peer) {
  const event = yield* Queue.take(peer.events).pipe(
    Effect.timeoutOrElse({
      duration: silenceLimitMs,
      orElse: () => Effect.fail(new ConnectionEnded({ code: policyViolation }))
    })
  )
  if (event._tag === "Closed") return yield* new ConnectionEnded({ code: normalClosure })
  if (event._tag === "Text") return yield* new Misled({ reason: "a frame of telemetry is text" })
  yield* event._tag === "Ping" ? peer.pong : take(peer, event.bytes)
})

/** Runs until the connection ends; an interruption says goodbye too. */
export const runTelemetry = (
  peer: Peer,
  logRefusal: RefusalLog
): Effect.Effect<void, never, TelemetryStore | Compression> => {
  const { nodeId: node_id, ip } = peer.identity
  return Effect.forever(turn(peer)).pipe(
    Effect.catchTag("ConnectionEnded", ({ code }) => peer.close(code)),
    Effect.catchTag("Misled", ({ reason }) =>
      Effect.andThen(logRefusal({ node_id, ip, reason }), peer.close(protocolError))
    ),
    Effect.catchDefect((defect) =>
      Effect.logError("telemetry connection failed", defect).pipe(Effect.andThen(peer.close(internalError)))
    ),
    Effect.onInterrupt(() => peer.close(goingAway)),
    Effect.annotateLogs({ node_id, ip }),
    Effect.asVoid
  )
}
