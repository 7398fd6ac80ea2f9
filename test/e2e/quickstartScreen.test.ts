/** The quickstart that stays: what it shows is true, and nothing of it outlives it. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryFolder } from "../support/folder.ts"
import { isAlive, run, until } from "../support/process.ts"

const main = new URL("../../dist/main.js", import.meta.url).pathname

const startQuickstart = Effect.gen(function* () {
  const directory = join(yield* temporaryFolder, "quickstart")
  const quickstart = yield* run(process.execPath, [main, "quickstart", "--dir", directory])
  yield* until(() => quickstart.stdout().includes("Ctrl-C ends everything."), 30_000)
  const pids = [...quickstart.stdout().matchAll(/PID (\d+)/g)].map((match) => Number(match[1]))
  const proxy = /proxy\s+(http:\S+)/.exec(quickstart.stdout())?.[1] ?? ""
  return { directory, quickstart, pids, proxy }
})

describe("quickstart", () => {
  it.live("shows three processes that live and a proxy that answers, and ends them all on Ctrl-C", () =>
    Effect.gen(function* () {
      const { quickstart, pids, proxy } = yield* startQuickstart
      assert.lengthOf(pids, 3)
      assert.isTrue(pids.every(isAlive))
      const answer = yield* Effect.promise(() => fetch(`${proxy}/hello`).then((response) => response.text()))
      assert.include(answer, `"upstream":"echo"`)
      quickstart.child.kill("SIGINT")
      assert.strictEqual((yield* quickstart.ended).code, 0)
      assert.isFalse(pids.some(isAlive))
    })
  )

  it.live("takes its processes with it when it is killed with -9", () =>
    Effect.gen(function* () {
      const { quickstart, pids } = yield* startQuickstart
      quickstart.child.kill("SIGKILL")
      yield* until(() => !pids.some(isAlive), 3_000)
    })
  )

  it.live("does not touch the directory of one that runs", () =>
    Effect.gen(function* () {
      const { directory, quickstart, pids } = yield* startQuickstart
      const second = yield* run(process.execPath, [main, "quickstart", "--once", "--dir", directory])
      const { code, stderr } = yield* second.ended
      assert.strictEqual(code, 1)
      assert.include(stderr, `process ${quickstart.pid}`)
      assert.isTrue(pids.every(isAlive))
    })
  )
})
