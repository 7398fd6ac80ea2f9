/**
 * What is said over one connection: one batch in flight, the next one after its acknowledgement. Pings keep the way open
 * through whatever forgets silent connections, and find out when it is none any more.
 */
import { Effect, MutableRef, Option, Queue } from "effect"
import { laneKey, type TelemetryRecord } from "../../model/telemetry/TelemetryRecord.ts"
import {
  batchMaxBytes,
  encodeBatch,
  readAnswer,
  type SpoolReport,
  type TelemetryAnswer
} from "../../model/telemetry/TelemetryWire.ts"
import { pingIntervalMs, silenceLimitMs } from "../../model/Wire.ts"
import { type ClusterSocket, SessionEnd } from "../../services/ClusterDialer.ts"
import type { Compression } from "../../services/Compression.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import type { Acknowledgement, SpoolFacts, TelemetrySpool } from "../../services/TelemetrySpool.ts"

/** How long a control plane may take to commit a batch: many nodes may come back to it at once. */
const answerLimitMs = 30_000
/** A node without traffic keeps no connection: half of a fleet's sockets and pings would be for nothing. */
const idleLimitMs = 60_000
/** Answers that nobody asked for are not kept. */
const answersMax = 4

export interface Means {
  readonly spool: TelemetrySpool["Service"]
  readonly compression: Compression["Service"]
  /** How much is taken for one batch, in bytes of JSON. */
  readonly targetBytes: MutableRef.MutableRef<number>
  readonly onAcknowledged: (acknowledged: ReadonlyArray<Acknowledgement>) => Effect.Effect<void>
}

const broken = (message: string) => Effect.fail(new SessionEnd({ reason: "broken", message }))

/** What stays behind, as near as can be told: the bytes on disk are not those of the wire, and records differ in size. */
const reportOf = ({ bytes, records, oldestMs }: SpoolFacts, taken: number): SpoolReport =>
  records <= taken
    ? { bytes: 0, records: 0, oldest_ms: null }
    : { bytes: Math.round(bytes * (1 - taken / records)), records: records - taken, oldest_ms: oldestMs ?? null }

/** The last sequence of each epoch and lane. */
const endsOf = (records: ReadonlyArray<TelemetryRecord>): ReadonlyArray<Acknowledgement> => {
  const ends = new Map<string, Acknowledgement>()
  for (const { epoch, lane, sequence } of records) {
    const key = laneKey({ epoch, lane })
    if (sequence > (ends.get(key)?.sequence ?? 0)) ends.set(key, { epoch, lane, sequence })
  }
  return [...ends.values()]
}

/** Whoever acknowledges less than the whole would be sent the same again and again, without a pause. */
const isWhole = (answer: ReadonlyArray<Acknowledgement>, records: ReadonlyArray<TelemetryRecord>): boolean =>
  endsOf(records).every(({ epoch, lane, sequence }) =>
    answer.some((given) => given.epoch === epoch && given.lane === lane && given.sequence >= sequence)
  )

const encode = Effect.fnUntraced(function* ({ spool, compression }: Means, records: ReadonlyArray<TelemetryRecord>) {
  const json = encodeBatch({ records, spool: reportOf(spool.facts(), records.length) })
  if (json.length > batchMaxBytes)
    return yield* broken(`a batch of ${json.length} bytes is larger than the ${batchMaxBytes} that may be sent`)
  return yield* compression.gzip(json)
})

const decode = Effect.fnUntraced(function* ({ compression }: Means, frame: Uint8Array) {
  const json = yield* compression.gunzip(frame, batchMaxBytes).pipe(Effect.catch(({ message }) => broken(message)))
  const answer = readAnswer(json)
  return answer === undefined ? yield* broken("the answer to a batch can't be read") : answer
})

const settle = Effect.fnUntraced(function* (
  means: Means,
  records: ReadonlyArray<TelemetryRecord>,
  answer: TelemetryAnswer
) {
  if ("error" in answer) return yield* broken(`the control plane did not take a batch: ${answer.error}`)
  if (!isWhole(answer.acknowledged, records))
    return yield* broken("the control plane did not acknowledge a whole batch")
  yield* means.spool.acknowledge(answer.acknowledged)
  yield* means.onAcknowledged(answer.acknowledged)
})

/** False when there was nothing to deliver for so long that the connection may go. */
const deliver = Effect.fnUntraced(function* (socket: ClusterSocket, answers: Queue.Dequeue<Uint8Array>, means: Means) {
  const taken = yield* Effect.timeoutOption(means.spool.take(MutableRef.get(means.targetBytes)), idleLimitMs)
  if (Option.isNone(taken)) return false
  const records = taken.value
  yield* socket.send(yield* encode(means, records))
  const frame = yield* Queue.take(answers).pipe(
    Effect.timeoutOrElse({
      duration: answerLimitMs,
      orElse: () =>
        Effect.fail(
          new SessionEnd({ reason: "silent", message: `a batch was not acknowledged within ${answerLimitMs} ms` })
        )
    })
  )
  yield* settle(means, records, yield* decode(means, frame))
  return true
})

/** Runs until the connection ends, and fails with why; comes back when there is nothing more to deliver. */
export const deliverOver = Effect.fnUntraced(function* (socket: ClusterSocket, means: Means) {
  const answers = yield* Queue.dropping<Uint8Array>(answersMax)
  let heardAtMs = yield* monotonicMs
  const read = Effect.gen(function* () {
    const frame = yield* Queue.take(socket.frames)
    heardAtMs = yield* monotonicMs
    if (frame._tag === "Binary") Queue.offerUnsafe(answers, frame.bytes)
  })
  const ping = Effect.gen(function* () {
    yield* Effect.sleep(pingIntervalMs)
    if ((yield* monotonicMs) - heardAtMs >= silenceLimitMs)
      return yield* new SessionEnd({ reason: "silent", message: `nothing was heard for ${silenceLimitMs} ms` })
    yield* socket.ping("")
  })
  const deliverAll = Effect.gen(function* () {
    while (yield* deliver(socket, answers, means)) heardAtMs = yield* monotonicMs
  })
  return yield* Effect.raceAllFirst([Effect.forever(read), Effect.forever(ping), deliverAll])
})
