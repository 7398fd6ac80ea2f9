/**
 * TrustedClock over the clocks of Effect's `Clock`, kept in `<prefix>/clock.json`. The file is written at every change of
 * belief, once a minute, and at the end; more often while the clock is doubted, so that the short lives of a node that
 * crashes again and again add up. It is written by a fiber of its own: a disk that never answers stops no clock. Whatever
 * becomes of the file, it costs one warning and nothing else.
 */
import { join } from "node:path"
import { Clock, Effect, Fiber, Layer, Option, Queue, Semaphore, SubscriptionRef } from "effect"
import { decodeKeptTime, encodeKeptTime, type KeptTime } from "../model/KeptTime.ts"
import { begin, confirm, type Happening, keptOf, type Reading, type Step, step } from "../model/TrustedTime.ts"
import { Disk, type DiskError, replaceFile } from "../services/Disk.ts"
import { noAnswer, whileDiskAnswers } from "../services/DiskSilence.ts"
import { Settings } from "../services/Settings.ts"
import { supervise } from "../services/supervise.ts"
import { factsOf, TrustedClock } from "../services/TrustedClock.ts"

export const clockFileName = "clock.json"

const fileMaxBytes = 4_096
const fileMode = 0o644
/** No end waits longer for the disk. */
const diskPatience = "2 seconds"

const lookIntervalMs = 30_000
/** Doubted, at first after a second, then less and less often: whatever the length of a life, most of it counts. */
const firstDoubtedLookMs = 1_000
const keepIntervalMs = 60_000
const tellIntervalMs = 10 * 60_000

const seconds = (ms: number): number => Math.round(ms / 1000)

const readKept = Effect.fnUntraced(function* (disk: Disk["Service"], file: string) {
  const read = disk.read(file, fileMaxBytes).pipe(
    Effect.map(({ bytes }) => decodeKeptTime(new TextDecoder().decode(bytes)) ?? "expected a time as it is kept"),
    Effect.catch((error: DiskError) => Effect.succeed(error.code === "ENOENT" ? undefined : error.message))
  )
  const found = Option.getOrElse(yield* whileDiskAnswers(read), () => noAnswer)
  if (typeof found !== "string") return found
  yield* Effect.logWarning("kept time can't be read; the wall clock is believed").pipe(
    Effect.annotateLogs({ file, cause: found })
  )
  return undefined
})

/** A file that can't be written is told once in a life. */
const makeTellUnkept = (file: string) => {
  let isTold = false
  return (cause: DiskError) =>
    Effect.suspend(() => {
      if (isTold) return Effect.void
      isTold = true
      return Effect.logWarning("trusted time can't be kept; a restart believes the clock that it finds").pipe(
        Effect.annotateLogs({ file, cause: cause.message })
      )
    })
}

const tellReturn = ({ byMs, afterMs }: Extract<Happening, { _tag: "Returned" }>) =>
  Effect.logInfo("wall clock agrees with the trusted time again").pipe(
    Effect.annotateLogs({ bySeconds: seconds(byMs), afterSeconds: seconds(afterMs) })
  )

const tellBelief = ({ byMs, because }: Extract<Happening, { _tag: "Believed" }>) =>
  Effect.logInfo("wall clock believed").pipe(Effect.annotateLogs({ bySeconds: seconds(byMs), because }))

const tellDoubt = ({ byMs }: Extract<Happening, { _tag: "Doubted" }>) =>
  Effect.logWarning("wall clock differs from the trusted time; not believed yet").pipe(
    Effect.annotateLogs({ bySeconds: seconds(byMs) })
  )

/** Tells what a reading changed; a clock that comes and goes is told once in a while, with its return. */
const makeTell = () => {
  let toldAtMs = Number.NEGATIVE_INFINITY
  let isReturnOwed = false
  return (happened: Happening, monotonicMs: number): Effect.Effect<void> => {
    if (happened._tag === "Doubted") {
      if (monotonicMs - toldAtMs < tellIntervalMs) return Effect.void
      toldAtMs = monotonicMs
      isReturnOwed = true
      return tellDoubt(happened)
    }
    const isOwed = isReturnOwed
    isReturnOwed = false
    if (happened._tag === "Believed") return tellBelief(happened)
    return isOwed ? tellReturn(happened) : Effect.void
  }
}

const make = Effect.gen(function* () {
  const { prefix } = yield* Settings
  const disk = yield* Disk
  // The same clock for every caller: readings of two clocks can't be compared.
  const clock = yield* Clock.Clock
  const file = join(prefix, clockFileName)
  const tellUnkept = makeTellUnkept(file)
  const tell = makeTell()
  const jumps = yield* SubscriptionRef.make(0)
  const toKeep = yield* Queue.sliding<KeptTime>(1)
  const oneAtATime = yield* Semaphore.make(1)

  const reading = (): Reading => ({
    wallMs: clock.currentTimeMillisUnsafe(),
    monotonicMs: Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
  })

  const first = begin(yield* readKept(disk, file), reading())
  let time = first.time
  let keptAtMs = Number.NEGATIVE_INFINITY
  let doubtedLookMs = firstDoubtedLookMs

  const keep = Effect.suspend(() => {
    keptAtMs = time.monotonicMs
    return Queue.offer(toKeep, keptOf(time))
  })

  const settle = Effect.fnUntraced(function* (happened: Happening) {
    yield* tell(happened, time.monotonicMs)
    yield* keep
    if (happened._tag === "Doubted") doubtedLookMs = firstDoubtedLookMs
    if (happened._tag === "Believed") yield* SubscriptionRef.update(jumps, (count) => count + 1)
  })

  const take = (next: Step) => {
    time = next.time
    return next.happened === undefined ? Effect.void : settle(next.happened)
  }

  const look = Effect.suspend(() => take(step(time, reading())))

  const replace = (kept: KeptTime) =>
    replaceFile(disk, { path: file, bytes: new TextEncoder().encode(encodeKeptTime(kept)), mode: fileMode }).pipe(
      Effect.catch(tellUnkept),
      oneAtATime.withPermit
    )

  /** A call that the disk never answers can't be broken off: whoever is interrupted meanwhile leaves it behind. */
  const write = (kept: KeptTime) => Effect.flatMap(Effect.forkDetach(replace(kept)), Fiber.join)

  const watch = Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep(time.doubt === undefined ? lookIntervalMs : doubtedLookMs)
      yield* look
      if (time.doubt !== undefined) doubtedLookMs = Math.min(lookIntervalMs, doubtedLookMs * 2)
      if (time.doubt !== undefined || time.monotonicMs - keptAtMs >= keepIntervalMs) yield* keep
    }
  })

  yield* take(first)
  yield* keep
  yield* supervise("keeping the trusted time", Effect.forever(Effect.flatMap(Queue.take(toKeep), write)))
  yield* supervise("watching the clock", watch)
  // The next start begins where this one ended.
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      look,
      Effect.suspend(() => write(keptOf(time)))
    ).pipe(Effect.interruptible, Effect.timeoutOption(diskPatience))
  )

  return TrustedClock.of({
    nowMs: Effect.map(look, () => Math.floor(time.nowMs)),
    confirm: (controlPlaneMs) => Effect.suspend(() => take(confirm(time, reading(), controlPlaneMs))),
    jumps,
    facts: Effect.map(look, () => factsOf(time))
  })
})

export const layer: Layer.Layer<TrustedClock, never, Disk | Settings> = Layer.effect(TrustedClock, make)
