/** Files that commands make: whole, with the mode that they need, and never in the place of another file. */
import { constants, existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { Effect } from "effect"
import { messageOf } from "../model/thrown.ts"
import { StartError } from "../services/StartError.ts"

export const refuse = (exitCode: 1 | 2, message: string, value?: string): StartError =>
  new StartError({ faults: [{ path: [], message, ...(value === undefined ? {} : { value }) }], exitCode })

/** All are looked at before any is written, so that a refusal leaves no half of a pair behind. */
export const refuseTaken = (paths: ReadonlyArray<string>): Effect.Effect<void, StartError> =>
  Effect.suspend(() => {
    const taken = paths.filter((path) => existsSync(path))
    const faults = taken.map((path) => ({ path: [], message: `${path} exists already and is not overwritten` }))
    return faults.length === 0 ? Effect.void : Effect.fail(new StartError({ faults, exitCode: 1 }))
  })

const { O_CREAT, O_EXCL, O_WRONLY } = constants

export const writeNew = (path: string, text: string, mode: number): Effect.Effect<void, StartError> =>
  Effect.tryPromise({
    try: () => writeFile(path, text, { mode, flag: O_CREAT | O_EXCL | O_WRONLY }),
    catch: (cause) => refuse(1, `${path} can't be written: ${messageOf(cause)}`)
  })

export const makeDirectory = (directory: string): Effect.Effect<void, StartError> =>
  Effect.asVoid(
    Effect.tryPromise({
      try: () => mkdir(directory, { recursive: true }),
      catch: (cause) => refuse(1, `${directory} can't be made: ${messageOf(cause)}`)
    })
  )
