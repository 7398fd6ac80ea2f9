/**
 * Where a report goes. Tried before anything is played: a report that can't be written is no report, and nobody wants to
 * hear that after a minute.
 */
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { messageOf } from "../../model/thrown.ts"
import { StartError } from "../../services/StartError.ts"
import { type DrillReport, reportJson, reportMarkdown } from "./Report.ts"

export interface ReportFiles {
  /** Ends with the paths. */
  readonly write: (report: DrillReport) => Effect.Effect<ReadonlyArray<string>, StartError>
}

const attempt = <A>(folder: string, run: () => A): Effect.Effect<A, StartError> =>
  Effect.try({
    try: run,
    catch: (cause) => {
      const message = `expected a folder in which the report can be written (${messageOf(cause)})`
      return new StartError({ faults: [{ path: ["--report"], message, value: folder }], exitCode: 2 })
    }
  })

/** A former report stays until there is a new one, and nothing is left where none was. */
const tryFile = (file: string): void => {
  const isThere = existsSync(file)
  closeSync(openSync(file, "a"))
  if (!isThere) rmSync(file)
}

export const reportFilesIn = (folder: string, drill: string): Effect.Effect<ReportFiles, StartError> => {
  const markdown = join(folder, `${drill}.md`)
  const json = join(folder, `${drill}.json`)
  const write: ReportFiles["write"] = (report) =>
    attempt(folder, () => {
      writeFileSync(markdown, reportMarkdown(report))
      writeFileSync(json, reportJson(report))
      return [markdown, json]
    })
  return attempt(folder, () => {
    mkdirSync(folder, { recursive: true })
    for (const file of [markdown, json]) tryFile(file)
    return { write }
  })
}
