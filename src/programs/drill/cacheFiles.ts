/** The files that a node keeps its configurations in, and what may happen to them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { StepFailed } from "../stage/Probe.ts"
import type { Ground } from "./Ground.ts"

const attempt = <A>(run: () => A): Effect.Effect<A, StepFailed> =>
  Effect.try({ try: run, catch: (cause) => new StepFailed({ reason: String(cause) }) })

const prefixOf = ({ stage }: Ground): string => join(stage.directory, "data-plane")

const currentFile = (ground: Ground): string => join(prefixOf(ground), "config.json.gz")

const filesIn = (folder: string): ReadonlyArray<string> =>
  existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []

const generationsOf = (ground: Ground): ReadonlyArray<string> => filesIn(join(prefixOf(ground), "generations"))

/** As a node finds it that was never there before. */
export const emptyDisk = (ground: Ground): Effect.Effect<void, StepFailed> =>
  attempt(() => {
    rmSync(prefixOf(ground), { recursive: true, force: true })
    mkdirSync(prefixOf(ground))
  })

/** A write that a power cut ended on a disk that had not kept its word. */
export const tearCurrent = (ground: Ground): Effect.Effect<void, StepFailed> =>
  attempt(() => {
    const file = currentFile(ground)
    truncateSync(file, readFileSync(file).length >> 1)
  })

/** Ends with how many there were. */
export const overwriteAll = (ground: Ground): Effect.Effect<number, StepFailed> =>
  attempt(() => {
    const files = [currentFile(ground), ...generationsOf(ground)].filter((file) => existsSync(file))
    for (const file of files) writeFileSync(file, "this was a configuration once")
    return files.length
  })

/** Refused files that were put away, each with its reasons. */
export const quarantined = (ground: Ground): Effect.Effect<ReadonlyArray<string>, StepFailed> =>
  Effect.flatMap(
    attempt(() => filesIn(join(prefixOf(ground), "quarantine"))),
    (files) => {
      const kept = files.filter((file) => file.endsWith(".json.gz"))
      const unexplained = kept.find((file) => !files.includes(file.replace(/\.json\.gz$/, ".reason.txt")))
      return unexplained === undefined
        ? Effect.succeed(kept)
        : Effect.fail(new StepFailed({ reason: `${unexplained} has no reasons beside it` }))
    }
  )
