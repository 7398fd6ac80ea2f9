/** `drills.md`: a drill that is killed leaves its folder, with a key in it; the next one removes that, and nothing else. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { sweep, workingFolder } from "../../../src/programs/drill/WorkingFolder.ts"
import { temporaryFolder } from "../../support/folder.ts"

const goneProcess = (): number => spawnSync(process.execPath, ["-e", ""]).pid

const leave = (parent: string, name: string, owner?: unknown): string => {
  const folder = join(parent, name)
  mkdirSync(join(folder, "certs"), { recursive: true })
  writeFileSync(join(folder, "certs", "cluster.key"), "secret")
  if (owner !== undefined) writeFileSync(join(folder, "drill.owner"), JSON.stringify(owner))
  return folder
}

describe("the working folder of a drill", () => {
  it.live("is swept by the next drill once its process is gone", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const host = hostname()
      const left = leave(parent, "holdfast-drill-left", { host, pid: goneProcess() })
      // A container that starts again finds itself under the number of its former life.
      const ownNumber = leave(parent, "holdfast-drill-own", { host, pid: process.pid })
      assert.sameMembers([...(yield* sweep(parent))], [left, ownNumber])
      assert.deepEqual(readdirSync(parent), [])
    })
  )

  it.live(
    "stays while its process lives or is another machine's, once it is kept, and when it is no drill's at all",
    () =>
      Effect.gen(function* () {
        const parent = yield* temporaryFolder
        leave(parent, "holdfast-drill-runs", { host: hostname(), pid: process.ppid })
        leave(parent, "holdfast-drill-elsewhere", { host: `not-${hostname()}`, pid: goneProcess() })
        leave(parent, "holdfast-drill-kept")
        leave(parent, "holdfast-drill-torn", "{")
        leave(parent, "somebody-elses", { host: hostname(), pid: goneProcess() })
        assert.deepEqual(yield* sweep(parent), [])
        assert.lengthOf(readdirSync(parent), 5)
      })
  )

  it.live("goes with a drill that passed, and is nobody's any more after one that failed", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const passed = yield* Effect.scoped(Effect.map(workingFolder(parent), ({ path }) => path))
      assert.isFalse(existsSync(passed))
      const failed = yield* Effect.scoped(
        Effect.map(workingFolder(parent), (folder) => {
          assert.deepEqual(readdirSync(folder.path), ["drill.owner"])
          folder.isKept = true
          return folder.path
        })
      )
      assert.deepEqual(readdirSync(failed), [])
      assert.deepEqual(yield* sweep(parent), [])
    })
  )

  it.live("is looked for nowhere when there is no folder for temporary files", () =>
    Effect.map(sweep("/nowhere/at/all"), (swept) => assert.deepEqual(swept, []))
  )
})
