/** One process of the quickstart: started, watched, killed, started again; it never outlives the quickstart. */

import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { Effect, type Scope } from "effect"
import { tiedEnv } from "../../DieWithParent.ts"

export interface ChildSpec {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly logFile: string
}

export interface Child {
  readonly pid: () => number | undefined
  readonly start: Effect.Effect<void>
  /** `kill -9`, and wait until it is gone. */
  readonly kill: Effect.Effect<void>
}

const graceMs = 5_000

/** The settings of a child are in its file alone: what the shell happens to carry for another gateway stays out. */
const childEnv = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KONG|HOLDFAST)_/.test(name))),
  ...tiedEnv
})

const launch = ({ args, logFile }: ChildSpec): ChildProcess => {
  const log = openSync(logFile, "a")
  // A process group of its own: Ctrl-C in the terminal reaches the quickstart, which then ends its children in order.
  const child = spawn(process.execPath, [process.argv[1] ?? "", ...args], {
    stdio: ["ignore", log, log, "ipc"],
    env: childEnv(),
    detached: true
  })
  child.on("error", () => {})
  closeSync(log)
  return child
}

const isGone = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null || child.pid === undefined

const end = (child: ChildProcess, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (isGone(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
    return undefined
  })

const endKindly = (child: ChildProcess): Effect.Effect<void> =>
  end(child, "SIGTERM").pipe(Effect.timeoutOrElse({ duration: graceMs, orElse: () => end(child, "SIGKILL") }))

export const makeChild = (spec: ChildSpec): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running: { child: ChildProcess | undefined } = { child: undefined }
    const withChild = (use: (child: ChildProcess) => Effect.Effect<void>) =>
      Effect.suspend(() => (running.child === undefined ? Effect.void : use(running.child)))
    yield* Effect.addFinalizer(() => withChild(endKindly))
    return {
      pid: () => running.child?.pid,
      start: Effect.sync(() => {
        running.child = launch(spec)
      }),
      kill: withChild((child) => end(child, "SIGKILL"))
    }
  })
