/**
 * TelemetrySpool in `<prefix>/telemetry` (`docs/telemetry.md`). Two fibers that never wait for each other: one follows what is
 * counted, opens a window at the first request, asks ten times a second for what is new to be written, and ends the window when its time is
 * over; the other one alone calls the disk. What can't be written waits in memory. While nothing is counted both sleep.
 */
import { join } from "node:path"
import { Effect, Latch, Layer, Stream, SubscriptionRef } from "effect"
import { uuidOf } from "../../model/DeterministicId.ts"
import { Disk } from "../../services/Disk.ts"
import { DiskSilence, impatient } from "../../services/DiskSilence.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { RequestCounters } from "../../services/RequestCounters.ts"
import { SecureRandom } from "../../services/SecureRandom.ts"
import { Settings } from "../../services/Settings.ts"
import { supervise } from "../../services/supervise.ts"
import { TelemetrySpool } from "../../services/TelemetrySpool.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { makeReading, readAgainAfterMs } from "./reading.ts"
import { type Piece, Shelf } from "./Shelf.ts"
import { makeTelling } from "./telling.ts"
import { makeWindows } from "./windows.ts"
import { makeWriter } from "./writer.ts"

const writeInterval = "100 millis"
const segmentMaxBytes = 2 ** 20
/** What can't be written must not grow to the size of a disk. */
const memoryMaxBytes = 32 * 2 ** 20
/** A stop waits so long for the disk, and no longer. */
const flushPatience = "2 seconds"

const make = Effect.gen(function* () {
  const settings = yield* Settings
  if (!settings.telemetry || settings.cluster_control_plane === undefined) return TelemetrySpool.unused
  const disk = yield* Disk
  const silence = yield* DiskSilence
  const clock = yield* TrustedClock
  const counters = yield* RequestCounters
  const { state } = yield* LiveConfig
  const epoch = uuidOf(yield* (yield* SecureRandom).bytes(16))
  const folder = join(settings.prefix, "telemetry")
  const maxBytes = settings.telemetry_spool_max_bytes

  const shelf = new Shelf(epoch, { maxBytes, maxAgeMs: settings.telemetry_spool_max_age * 1000, memoryMaxBytes })
  const telling = makeTelling({ folder, maxBytes, shelf })
  let services = 0
  const windows = makeWindows({ epoch, counters, shelf, services: () => services })
  /** Something may have come to the shelf. */
  const news = yield* Latch.make()
  /** A flush ended the window before its time. */
  const ended = yield* Latch.make()
  /** There is something to tell, though nothing may be counted. */
  const untold = yield* Latch.make()
  const tellNews = (): void => {
    if (windows.hasNews()) untold.openUnsafe()
  }
  const writer = yield* makeWriter({
    disk: impatient(disk, silence),
    silence,
    folder,
    epoch,
    shelf,
    windows,
    telling,
    nowMs: clock.nowMs,
    segmentMaxBytes: Math.min(segmentMaxBytes, Math.floor(maxBytes / 16)),
    logMaxBytes: Math.floor(maxBytes / 4),
    changed: () => {
      news.openUnsafe()
      tellNews()
    }
  })
  const gather = makeReading({
    disk: impatient(disk, silence),
    shelf,
    offersMemory: () => telling.problem() !== undefined,
    lost: (piece, records, reason) => {
      if (records < piece.last - piece.first + 1) shelf.countDropped(records, 0)
      return telling.lost(piece, records, reason)
    },
    forget: (piece) => {
      shelf.drop(piece)
      writer.discard([piece])
      tellNews()
    },
    leaveAside: (piece) => {
      shelf.drop(piece)
      tellNews()
    }
  })

  // --- windows ---

  const close = Effect.gen(function* () {
    const nowMs = yield* clock.nowMs
    const closed = windows.close(nowMs)
    if (closed !== undefined) writer.finish(closed)
    const dropped = shelf.makeRoom(writer.logBytes(), nowMs)
    writer.discard(dropped)
    if (dropped.length > 0) yield* telling.dropped
  })

  const settle = close.pipe(
    Effect.tap(() => ended.open),
    Effect.andThen(Effect.timeoutOption(Effect.interruptible(writer.settled), flushPatience))
  )

  const follow = Effect.gen(function* () {
    for (;;) {
      yield* counters.changed
      yield* Effect.sleep(writeInterval)
      writer.wake()
    }
  })

  const oneWindow = Effect.gen(function* () {
    if (!windows.hasNews()) yield* Effect.raceFirst(counters.changed, untold.await)
    untold.closeUnsafe()
    ended.closeUnsafe()
    windows.begin(yield* clock.nowMs)
    writer.wake()
    const isOver = Effect.raceFirst(Effect.sleep(settings.analytics_flush_interval * 1000), ended.await)
    yield* Effect.raceFirst(isOver, follow)
    yield* close
  })

  const followServices = Stream.runForEach(SubscriptionRef.changes(state), ({ snapshot }) =>
    Effect.sync(() => {
      services = snapshot?.table.services.length ?? 0
      tellNews()
    })
  )

  yield* supervise("counting services for telemetry", followServices)
  yield* supervise("following what telemetry counts", Effect.forever(oneWindow))

  // --- what is offered ---

  const take = Effect.fnUntraced(function* (bytes: number) {
    for (;;) {
      news.closeUnsafe()
      const { batch, isHindered } = yield* gather(bytes)
      if (batch.length > 0) return batch
      yield* isHindered ? Effect.raceFirst(news.await, Effect.sleep(readAgainAfterMs)) : news.await
    }
  })

  return TelemetrySpool.of({
    take,
    acknowledge: (acknowledged) =>
      Effect.suspend(() => {
        const done: ReadonlyArray<Piece> = shelf.acknowledge(acknowledged)
        writer.discard(done)
        return done.length > 0 ? telling.roomMade : Effect.void
      }),
    flush: Effect.gen(function* () {
      yield* settle
      // What went with the last window, for want of room say, stands in no record yet.
      if (windows.hasNews()) yield* settle
    }),
    facts: () => ({
      bytes: shelf.bytes + writer.logBytes(),
      records: shelf.records,
      oldestMs: shelf.oldestMs,
      dropped: shelf.dropped,
      problem: telling.problem()
    })
  })
})

export const layer: Layer.Layer<
  TelemetrySpool,
  never,
  Settings | Disk | TrustedClock | RequestCounters | LiveConfig | SecureRandom
> = Layer.effect(TelemetrySpool, make)
