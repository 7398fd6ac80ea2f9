/**
 * The folder that a drill lives in: gone when the drill passed; kept, for its logs, when it did not. A drill that is
 * killed can do neither, so that the next one sweeps what it left, the cluster's key among it. Whose a folder is stands
 * in the folder; one that is kept is nobody's any more.
 */
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { messageOf } from "../../model/thrown.ts"
import { StartError } from "../../services/StartError.ts"
import { isAlive } from "../stage/isAlive.ts"

const prefix = "holdfast-drill-"
const ownerFile = "drill.owner"

/** With the host, for processes of another container say nothing here. */
const writeOwner = (folder: string): void =>
  writeFileSync(join(folder, ownerFile), JSON.stringify({ host: hostname(), pid: process.pid }))

/** Only of one's own user: nobody else's folder is anybody's to remove. */
const isLeftBehind = (folder: string): boolean => {
  try {
    const { host, pid } = JSON.parse(readFileSync(join(folder, ownerFile), "utf8")) as { host: string; pid: number }
    if (lstatSync(folder).uid !== process.getuid?.() || host !== hostname()) return false
    return pid === process.pid || !isAlive(pid)
  } catch {
    return false
  }
}

const isRemoved = (folder: string): boolean => {
  try {
    rmSync(folder, { recursive: true, force: true })
    return true
  } catch {
    return false
  }
}

const foldersIn = (parent: string): ReadonlyArray<string> => {
  try {
    return readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
      .map(({ name }) => join(parent, name))
  } catch {
    return []
  }
}

/** Removes the folders of drills whose process is gone, and ends with their paths. */
export const sweep = (parent: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.sync(() => foldersIn(parent).filter((folder) => isLeftBehind(folder) && isRemoved(folder)))

export interface WorkingFolder {
  readonly path: string
  isKept: boolean
}

const leave = ({ path, isKept }: WorkingFolder): void =>
  rmSync(isKept ? join(path, ownerFile) : path, { recursive: true, force: true })

const make = (parent: string): WorkingFolder => {
  const path = mkdtempSync(join(parent, prefix))
  writeOwner(path)
  return { path, isKept: false }
}

const refuse = (parent: string, cause: unknown) =>
  new StartError({
    faults: [
      { path: ["TMPDIR"], message: `expected a folder for temporary files (${messageOf(cause)})`, value: parent }
    ],
    exitCode: 2
  })

export const workingFolder = (parent: string): Effect.Effect<WorkingFolder, StartError, Scope.Scope> =>
  Effect.acquireRelease(Effect.try({ try: () => make(parent), catch: (cause) => refuse(parent, cause) }), (folder) =>
    Effect.sync(() => leave(folder))
  )
