/** One quickstart a directory: a second one would clean the first one's files away under its feet. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { StartError } from "../../services/StartError.ts"

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && Reflect.get(error, "code") === "EPERM"
  }
}

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
