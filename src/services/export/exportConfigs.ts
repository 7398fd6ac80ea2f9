/**
 * Brings the newest configuration to object storage, for as long as the node lives (reference `resilience.md` §5.1): at
 * once when the last export is long enough ago, else when that time is over, and then only the newest. Whoever has a new
 * one waits for nobody. What fails is tried again, with growing pauses, until it works or something newer takes its place;
 * what the node still owes when it stops is tried once more, for 5 s at most.
 *
 * `makeExporter` is made once, and its `run` may be started again after a defect.
 */
import { MutableRef as Cell, Effect, type MutableRef, Queue, Random, Stream } from "effect"
import { showStanding } from "../../model/ConfigOrder.ts"
import { messageOf } from "../../model/thrown.ts"
import type { Encodable } from "../ConfigEncoding.ts"
import { makeDetachedWrites } from "../detachedWrites.ts"
import { monotonicMs } from "../monotonic.ts"
import type { ObjectStore } from "../ObjectStore.ts"
import { Settings } from "../Settings.ts"
import { TrustedClock } from "../TrustedClock.ts"
import { type ExportFacts, nothingExported } from "./ExportStatus.ts"
import { ExportFailed, type ExportOutcome, makeExportOnce } from "./exportOnce.ts"
import { probeConditions } from "./probeConditions.ts"

/** What there is to export: looked at when its turn comes, which may be never. */
export type Exportable = Effect.Effect<Encodable, ExportFailed>

export interface ExporterOptions {
  readonly store: ObjectStore
  /** Each new one takes the place of those before it that are not exported yet. */
  readonly exportables: Stream.Stream<Exportable>
  readonly facts: MutableRef.MutableRef<ExportFacts | undefined>
}

const firstPauseMs = 1_000
const longestPauseMs = 60_000

/** A person has to mend it; until then nothing is gained by hurry. */
const needsPerson = new Set<ExportFailed["trouble"]>(["denied", "misconfigured", "unsupported", "tooLarge"])

/** Half of it is left to chance, for all exporters may have failed at one moment. */
const pauseAfter = (failures: number, { trouble }: ExportFailed) => {
  const ms = needsPerson.has(trouble) ? longestPauseMs : Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1))
  return Effect.flatMap(Random.nextBetween(ms / 2, ms), (jittered) => Effect.sleep(jittered))
}

const reasonOf = (outcome: ExportOutcome): string | undefined => {
  for (const { key, placed } of outcome) {
    if (placed._tag === "NewerThere") return `${key} is newer: ${showStanding(placed.standing)}`
    if (placed._tag === "LeftAlone") return `${key} is left alone: ${placed.reason}`
    if (placed._tag === "EmptyHeldBack") return "it is empty, and nothing of the same epoch lies there"
  }
  return undefined
}

const nonceBytes = 8

export const makeExporter = Effect.fnUntraced(function* ({ store, exportables, facts }: ExporterOptions) {
  const settings = yield* Settings
  const clock = yield* TrustedClock
  const exportOnce = yield* makeExportOnce(store)
  const delayMs = settings.cluster_fallback_config_export_delay * 1000
  const { place } = store
  /** A turn is due; what is exported then is the newest. */
  const turns = yield* Queue.sliding<void>(1)
  let owed: Exportable | undefined
  let endedMs: number | undefined
  let isProbed = !settings.cluster_fallback_config_export_conditional
  /** The failure that was told, until an export works. */
  let isFailureTold = false
  let toldReason: string | undefined
  Cell.set(facts, nothingExported(place))

  const note = (change: (known: ExportFacts) => Partial<ExportFacts>) =>
    Effect.sync(() => {
      const known = Cell.get(facts) ?? nothingExported(place)
      Cell.set(facts, { ...known, ...change(known) })
    })

  const probe = Effect.gen(function* () {
    if (isProbed) return
    const digits = yield* Effect.replicateEffect(Random.nextIntBetween(0, 255), nonceBytes)
    yield* probeConditions(store, Buffer.from(digits).toString("hex"))
    isProbed = true
  }).pipe(
    Effect.mapError(({ trouble, key, message }) => new ExportFailed({ trouble, message: `write ${key}: ${message}` }))
  )

  const tellReplaced = (outcome: ExportOutcome) =>
    Effect.forEach(outcome, ({ key, placed }) =>
      placed._tag === "Written" && placed.insteadOf !== undefined
        ? Effect.logWarning("an object that said nothing of use was replaced by the export").pipe(
            Effect.annotateLogs({ place, key, reason: placed.insteadOf })
          )
        : Effect.void
    )

  const tellNotExported = Effect.fnUntraced(function* (hash: string, reason: string, isNewerThere: boolean) {
    const atMs = yield* clock.nowMs
    yield* note(() => ({ notExported: { hash, atMs, reason } }))
    if (toldReason === reason) return
    toldReason = reason
    const event = isNewerThere
      ? Effect.logInfo("configuration not exported: a newer one lies there")
      : Effect.logWarning("configuration not exported")
    yield* Effect.annotateLogs(event, { place, hash, reason })
  })

  const conclude = Effect.fnUntraced(function* (hash: string, outcome: ExportOutcome, tookMs: number) {
    isFailureTold = false
    yield* note(() => ({ problem: undefined }))
    yield* tellReplaced(outcome)
    const wrote = outcome.filter(({ placed }) => placed._tag === "Written").map(({ key }) => key)
    if (wrote.length > 0) {
      const atMs = yield* clock.nowMs
      yield* note(({ exports }) => ({ exported: { hash, atMs, tookMs }, notExported: undefined, exports: exports + 1 }))
      yield* Effect.logInfo("configuration exported").pipe(Effect.annotateLogs({ place, hash, tookMs, wrote }))
    }
    const reason = reasonOf(outcome)
    if (reason !== undefined)
      yield* tellNotExported(
        hash,
        reason,
        outcome.some(({ placed }) => placed._tag === "NewerThere")
      )
    else toldReason = undefined
  })

  const underWay = (isUnderWay: boolean) => note(() => ({ isUnderWay }))

  const attempt = Effect.fnUntraced(
    function* (exportable: Exportable) {
      yield* underWay(true)
      const beganMs = yield* monotonicMs
      yield* probe
      const snapshot = yield* exportable
      const outcome = yield* exportOnce(snapshot)
      if (owed === exportable) owed = undefined
      const now = yield* monotonicMs
      endedMs = now
      yield* conclude(snapshot.hash, outcome, Math.round(now - beganMs))
    },
    Effect.ensuring(underWay(false))
  )

  const tellGivenUp = Effect.suspend(() => {
    if (owed === undefined) return Effect.void
    const cause = Cell.get(facts)?.problem?.reason ?? "the store gave no answer in the time that a stop has"
    return Effect.logWarning("stopping without the export that is owed").pipe(Effect.annotateLogs({ place, cause }))
  })
  // Before the last try is announced: what is announced last is done first.
  yield* Effect.addFinalizer(() => tellGivenUp)

  const begin = yield* makeDetachedWrites(() => (owed === undefined ? Effect.void : attempt(owed)))

  const tell = Effect.fnUntraced(function* ({ message, trouble, isFinal }: ExportFailed) {
    const nowMs = yield* clock.nowMs
    yield* note(({ problem, failures }) => ({
      problem: { reason: message, trouble, sinceMs: problem?.sinceMs ?? nowMs, attempts: (problem?.attempts ?? 0) + 1 },
      failures: failures + 1
    }))
    if (isFailureTold) return
    isFailureTold = true
    const facts = { place, cause: message, ...(trouble === undefined ? {} : { trouble }) }
    yield* isFinal === true
      ? Effect.logError("configuration can't be exported").pipe(Effect.annotateLogs(facts))
      : Effect.logWarning("configuration can't be exported; trying again").pipe(Effect.annotateLogs(facts))
  })

  const untilDue = Effect.gen(function* () {
    if (endedMs === undefined) return
    const leftMs = endedMs + delayMs - (yield* monotonicMs)
    if (leftMs > 0) yield* Effect.sleep(leftMs)
  })

  /** Comes to an end when the newest is exported, or can't be for a reason of its own. */
  const turn = Effect.gen(function* () {
    yield* untilDue
    for (let failures = 1; owed !== undefined; failures++) {
      const exportable = owed
      const failed = yield* begin(attempt(exportable)).pipe(
        Effect.catchDefect((defect) => Effect.fail(new ExportFailed({ message: messageOf(defect) }))),
        Effect.as(undefined),
        Effect.catch((failure) => Effect.succeed(failure))
      )
      if (failed === undefined) return
      yield* tell(failed)
      if (failed.isFinal === true && owed === exportable) owed = undefined
      else yield* pauseAfter(failures, failed)
    }
  })

  const listen = Stream.runForEach(exportables, (exportable) =>
    Effect.sync(() => {
      owed = exportable
      Queue.offerUnsafe(turns, undefined)
    })
  )

  const run = Effect.all([listen, Effect.forever(Effect.andThen(Queue.take(turns), turn))], {
    concurrency: "unbounded",
    discard: true
  })

  return { run }
})
