import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Logger } from "effect"
import { formatJsonLine, formatReadableLine, type LogEntry, logEntry } from "../../src/layers/ConsoleLog.ts"

const logged = (effect: Effect.Effect<void>): Effect.Effect<LogEntry | undefined> =>
  Effect.gen(function* () {
    const entries: Array<LogEntry> = []
    const logger = Logger.make((options) => void entries.push(logEntry(options)))
    yield* effect.pipe(Effect.provide(Logger.layer([logger])))
    return entries[0]
  })

describe("ConsoleLog", () => {
  it.effect("makes annotations and objects fields, and everything else the message", () =>
    Effect.gen(function* () {
      const entry = yield* logged(
        Effect.logWarning("link", 7, { hash: "ab" }).pipe(Effect.annotateLogs({ nodeId: "n1" }))
      )
      assert.deepInclude(entry, { level: "warn", message: "link 7", fields: { nodeId: "n1", hash: "ab" } })
    })
  )

  it.effect("says a cause in one line, its stack only at debug level", () =>
    Effect.gen(function* () {
      const cause = Cause.die(new Error("boom"))
      assert.strictEqual((yield* logged(Effect.logError("stopped", cause)))?.fields.cause, "Error: boom")
    })
  )

  const entry = (fields: LogEntry["fields"]): LogEntry => ({
    time: "2026-01-02T03:04:05.678Z",
    level: "info",
    message: "two\nlines",
    fields
  })

  it("writes one line of JSON, whose own members no field replaces", () => {
    const line = formatJsonLine(entry({ level: "x", big: 1n, problem: new Error("no") }))
    assert.deepStrictEqual(JSON.parse(line), {
      time: "2026-01-02T03:04:05.678Z",
      level: "info",
      message: "two\nlines",
      big: "1",
      problem: "Error: no"
    })
    assert.notInclude(line, "\n")
  })

  it("writes one readable line", () => {
    assert.strictEqual(formatReadableLine(entry({ a: 1, b: ["x"] })), `03:04:05.678 info  two | lines a=1 b=["x"]`)
  })
})
