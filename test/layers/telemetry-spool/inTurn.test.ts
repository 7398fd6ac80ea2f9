/** Reading what waits shares the thread with requests: others get their turn while much is read. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { recordsOf } from "../../../src/layers/telemetry-spool/adopt.ts"
import { bytesOf, heading, lineOf, readLines } from "../../../src/layers/telemetry-spool/lines.ts"
import { replayWindow } from "../../../src/layers/telemetry-spool/OpenWindow.ts"
import type { AnalyticsRecord } from "../../../src/model/telemetry/TelemetryRecord.ts"
import { cellOf, uuidOf } from "../../support/telemetry.ts"

const segment = { epoch: uuidOf(9), lane: "analytics" as const }

const record = (sequence: number): AnalyticsRecord => ({
  ...segment,
  sequence,
  fromMs: 0,
  toMs: 1,
  cells: Array.from({ length: 250 }, (_, n) => cellOf(n, 10))
})

const counts = { toMs: 1, apiCalls: 1, services: 1, dropped: { records: 0, requests: 0 } }

const entry = (n: number) => ({
  ...counts,
  names: Array.from({ length: 250 }, (_, at) => [n * 250 + at, uuidOf(1), uuidOf(2), null]),
  cells: Array.from({ length: 250 }, (_, at) => [n * 250 + at, [0, 1, 0, 0, 0], [[1, 1]]])
})

const bytesWith = (lines: ReadonlyArray<unknown>) => bytesOf(heading + lines.map(lineOf).join(""))

/** How often somebody else had a turn meanwhile. */
const turnsDuring = Effect.fnUntraced(function* (work: Effect.Effect<unknown>) {
  let turns = 0
  const other = yield* Effect.forkChild(
    Effect.forever(Effect.andThen(Effect.yieldNow, () => Effect.sync(() => turns++))),
    { startImmediately: true }
  )
  yield* work
  yield* Fiber.interrupt(other)
  return turns
})

it.effect("while a segment of many cells is read, and the log of a window that a crash has left", () =>
  Effect.gen(function* () {
    const segmentBytes = bytesWith(Array.from({ length: 40 }, (_, n) => record(n + 1)))
    const logBytes = bytesWith([
      { epoch: uuidOf(9), billing: 1, analytics: 1, fromMs: 0 },
      ...Array.from({ length: 40 }, (_, n) => entry(n))
    ])
    const read = Effect.gen(function* () {
      const lines = (yield* readLines(segmentBytes)) ?? { lines: [], damaged: 1 }
      assert.lengthOf((yield* recordsOf(lines, segment)).records, 40)
    })
    const replay = Effect.gen(function* () {
      const lines = yield* readLines(logBytes)
      const closed = Option.getOrUndefined(yield* replayWindow(lines?.lines ?? []))
      assert.lengthOf(closed?.analytics ?? [], 40)
    })
    assert.isAtLeast(yield* turnsDuring(read), 40)
    assert.isAtLeast(yield* turnsDuring(replay), 20)
  })
)
