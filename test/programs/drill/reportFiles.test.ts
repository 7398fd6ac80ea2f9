/** `drills.md`: that the report can be written is tried before anything is played. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { DrillReport } from "../../../src/programs/drill/Report.ts"
import { reportFilesIn } from "../../../src/programs/drill/reportFiles.ts"
import { temporaryFolder } from "../../support/folder.ts"

const report = {
  drill: "cp-loss",
  promise: "Traffic goes on.",
  verdict: "passed",
  tookMs: 1,
  injected: [],
  configuration: { name: "kong.yml", routes: 1, requests: 1, changes: [], skipped: [] },
  steps: [],
  recoveries: [],
  traffic: { requestsPerSecond: 200, sent: 1, failed: 0, failures: [] }
} as unknown as DrillReport

describe("the files of a report", () => {
  it.live("are tried without a trace, and written at the end", () =>
    Effect.gen(function* () {
      const folder = join(yield* temporaryFolder, "new", "folder")
      const { write } = yield* reportFilesIn(folder, "cp-loss")
      assert.deepEqual(readdirSync(folder), [])
      const paths = [join(folder, "cp-loss.md"), join(folder, "cp-loss.json")]
      assert.deepEqual(yield* write(report), paths)
      assert.isTrue(paths.every(existsSync))
    })
  )

  it.live("of a former drill stay until there are new ones", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "cp-loss.md"), "former")
      yield* reportFilesIn(folder, "cp-loss")
      assert.strictEqual(readFileSync(join(folder, "cp-loss.md"), "utf8"), "former")
    })
  )

  it.live(
    "are refused in words that name --report: before the drill, and after it when they can't be written any more",
    () =>
      Effect.gen(function* () {
        const folder = join(yield* temporaryFolder, "reports")
        mkdirSync(join(folder, "cp-loss.md"), { recursive: true })
        const before = yield* Effect.flip(reportFilesIn(folder, "cp-loss"))
        assert.deepInclude(before.faults[0], { path: ["--report"], value: folder })
        assert.strictEqual(before.exitCode, 2)
        const { write } = yield* reportFilesIn(folder, "cold-start")
        rmSync(folder, { recursive: true })
        const after = yield* Effect.flip(write(report))
        assert.deepInclude(after.faults[0], { path: ["--report"], value: folder })
      })
  )
})
