/** A file that a command was given by name. */
import { readFile } from "node:fs/promises"
import { Effect } from "effect"
import { codeOf } from "../../model/thrown.ts"
import type { StartError } from "../../services/StartError.ts"
import { refuse } from "../newFile.ts"

export const readNamed = (path: string, what: string): Effect.Effect<string, StartError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => refuse(1, `${path}: expected ${what} (${codeOf(cause) ?? "unreadable"})`)
  })
