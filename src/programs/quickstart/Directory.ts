/**
 * The quickstart's directory. One quickstart a directory: a second one would clean the first one's files away under its
 * feet. Nothing is replaced but what a quickstart itself left behind, whatever else `--dir` may hold.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { StartError } from "../../services/StartError.ts"
import { isAlive } from "../stage/isAlive.ts"
import { stageFiles } from "../stage/Stage.ts"

const readPid = (file: string): number | undefined => {
  try {
    const pid = Number(readFileSync(file, "utf8"))
    return Number.isSafeInteger(pid) && pid > 0 && pid !== process.pid ? pid : undefined
  } catch {
    return undefined
  }
}

const refuse = (message: string, value: string) =>
  new StartError({ faults: [{ path: ["--dir"], message, value }], exitCode: 1 })

export const holdDirectory = (directory: string): Effect.Effect<void, StartError, Scope.Scope> =>
  Effect.gen(function* () {
    const file = join(directory, "quickstart.pid")
    const other = readPid(file)
    if (other !== undefined && isAlive(other)) {
      return yield* refuse(
        `a quickstart is using it (process ${other}); end that one, or name another directory`,
        directory
      )
    }
    yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          mkdirSync(directory, { recursive: true })
          writeFileSync(file, String(process.pid))
        },
        catch: (cause) => refuse(`expected a directory that can be written (${String(cause)})`, directory)
      }),
      () => Effect.sync(() => rmSync(file, { force: true }))
    )
  })

/** Says that what bears the names of a stage's files was made by a quickstart, and may go. */
const marker = "made-by-holdfast-quickstart"

const refuseForeign = (directory: string): Effect.Effect<void, StartError> => {
  const isOurs = existsSync(join(directory, marker))
  const found = isOurs ? [] : stageFiles.filter((name) => existsSync(join(directory, name)))
  return found.length === 0
    ? Effect.void
    : refuse(
        `expected an empty directory or one of a former quickstart, for it would replace ${found.join(", ")}`,
        directory
      )
}

const clean = (directory: string): Effect.Effect<void, StartError> =>
  Effect.try({
    try: () => {
      for (const name of stageFiles) rmSync(join(directory, name), { recursive: true, force: true })
      writeFileSync(join(directory, marker), "")
    },
    catch: (cause) => refuse(String(cause), directory)
  })

/** Empty of former quickstarts. */
export const clearDirectory = (directory: string): Effect.Effect<void, StartError> =>
  Effect.andThen(refuseForeign(directory), clean(directory))
