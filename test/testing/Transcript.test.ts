import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Logger } from "effect"
import { runVirtual } from "../../src/testing/runVirtual.ts"
import { makeTranscript, transcriptLogger } from "../../src/testing/Transcript.ts"
import { VirtualTime } from "../../src/testing/VirtualTime.ts"

describe("a transcript", () => {
  it("is a line a transition, and its digest that of all lines", () => {
    const texts: Array<string> = []
    const transcript = makeTranscript({ sink: (text) => texts.push(text), keep: 2 })
    transcript.line(0, "node", "starts")
    transcript.line(61_234.5678, "node", "lost", { reason: "nothing heard", times: 3, all: ["a"] })
    transcript.line(3_600_000, "world", "healed")
    const digest = transcript.digest()
    const text = texts.join("")
    assert.strictEqual(
      text,
      [
        "     0.000000 node starts",
        '    61.234568 node lost reason="nothing heard" times=3 all="[\\"a\\"]"',
        "  3600.000000 world healed",
        ""
      ].join("\n")
    )
    assert.strictEqual(digest, createHash("sha256").update(text).digest("hex"))
    assert.strictEqual(transcript.count(), 3)
    assert.lengthOf(transcript.latest(), 2)
  })

  it("takes what virtual processes log, in their clock's name, without stack traces, and nothing of the dead", async () => {
    const lines = await runVirtual(
      Effect.gen(function* () {
        const time = yield* VirtualTime
        const transcript = makeTranscript()
        const clock = time.makeClock({ name: "node-1" })
        const log = Effect.gen(function* () {
          yield* Effect.logInfo("configuration serves").pipe(Effect.annotateLogs({ routes: 5, tookMs: 3 }))
          yield* Effect.logError("failed", Cause.die(new Error("a bug")))
        }).pipe(
          Effect.provideService(Clock.Clock, clock),
          Effect.provideService(Logger.CurrentLoggers, new Set([transcriptLogger(transcript, time.nowMs)]))
        )
        yield* Effect.sleep(1_500)
        yield* log
        clock.kill()
        yield* log
        return transcript.latest()
      })
    )
    assert.deepStrictEqual(lines, [
      "     1.500000 node-1 configuration serves routes=5",
      '     1.500000 node-1 failed because="Error: a bug"'
    ])
  })
})
