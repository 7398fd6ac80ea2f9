import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeChild } from "../../../src/programs/stage/Child.ts"
import { choosePorts } from "../../../src/programs/stage/Ports.ts"
import { type Stage, untilStatusAnswers } from "../../../src/programs/stage/Stage.ts"
import { temporaryFolder } from "../../support/folder.ts"

const childOf = Effect.fnUntraced(function* (script: string) {
  const folder = yield* temporaryFolder
  const program = join(folder, "program.js")
  writeFileSync(program, script)
  return yield* makeChild({ name: "data-plane", args: [], logFile: join(folder, "data-plane.log"), program })
})

/** Answers nowhere. */
const stageWith = Effect.fnUntraced(function* (dataPlane: Stage["dataPlane"]) {
  const { status } = yield* choosePorts({ status: 0 })
  return { dataPlane, urls: { status: `http://127.0.0.1:${status}` } } as unknown as Stage
})

describe("a process of a stage", () => {
  it.live("that ends before it answers is told at once, with its exit code and the last lines of its log", () =>
    Effect.gen(function* () {
      const dataPlane = yield* childOf("for (let i = 1; i <= 9; i++) console.error('line ' + i); process.exitCode = 7")
      const stage = yield* stageWith(dataPlane)
      yield* dataPlane.start
      const { reason } = yield* Effect.flip(untilStatusAnswers(stage))
      assert.strictEqual(
        reason,
        "data-plane ended by itself with exit code 7; its log ends with:\nline 5\nline 6\nline 7\nline 8\nline 9"
      )
    })
  )

  it.live("is told as ended by a signal when it was", () =>
    Effect.gen(function* () {
      const dataPlane = yield* childOf("setInterval(() => {}, 1000)")
      const stage = yield* stageWith(dataPlane)
      yield* dataPlane.start
      yield* dataPlane.kill
      const { reason } = yield* Effect.flip(untilStatusAnswers(stage))
      assert.match(reason, /^data-plane was ended by SIGKILL/)
    })
  )

  it.live("that was started again has its former end behind it", () =>
    Effect.gen(function* () {
      const dataPlane = yield* childOf("console.error(process.pid); setInterval(() => {}, 1000)")
      yield* dataPlane.start
      yield* dataPlane.kill
      yield* dataPlane.start
      assert.isUndefined(yield* Effect.timeoutOrElse(dataPlane.gone, { duration: 100, orElse: () => Effect.void }))
    })
  )
})
