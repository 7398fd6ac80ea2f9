/** One process of a stage: started, watched, told things, killed, started again; it never outlives the program that began it. */

import { type ChildProcess, type Serializable, spawn } from "node:child_process"
import { closeSync, openSync, readFileSync, statSync } from "node:fs"
import { Effect, type Scope } from "effect"
import { tiedEnv } from "../../DieWithParent.ts"
import { whileGuarded } from "./Guard.ts"
import { StepFailed } from "./Probe.ts"

export interface ChildSpec {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly logFile: string
  /** The script; the one that runs here unless another is named. */
  readonly program?: string
}

export interface Child {
  readonly name: string
  readonly pid: () => number | undefined
  readonly isRunning: () => boolean
  readonly start: Effect.Effect<void>
  /** `kill -9`, and wait until it is gone. */
  readonly kill: Effect.Effect<void>
  /** SIGTERM, and wait until it is gone; `kill -9` when it takes too long. */
  readonly stop: Effect.Effect<void>
  /** What the system does to a machine that is suspended, to this one process, for as long as this lasts. */
  readonly whileFrozen: <A, E>(use: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Says something by the channel that ties the two, and waits until it is answered. One at a time. */
  readonly tell: (message: Serializable) => Effect.Effect<void, StepFailed>
  /** What it has logged since it was started last. */
  readonly log: Effect.Effect<string>
  /** Fails when it is gone, with how it ended and what it said last; until then it waits. */
  readonly gone: Effect.Effect<never, StepFailed>
}

const graceMs = 5_000
const answerWithin = "5 seconds"
const lastLinesShown = 5

/** The settings of a child are in its file alone: what the shell happens to carry for another gateway stays out. */
const childEnv = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KONG|HOLDFAST)_/.test(name))),
  ...tiedEnv
})

const launch = ({ args, logFile, program = process.argv[1] ?? "" }: ChildSpec): ChildProcess => {
  const log = openSync(logFile, "a")
  // A process group of its own: Ctrl-C in the terminal reaches the parent, which then ends its children in order.
  const child = spawn(process.execPath, [program, ...args], {
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

const tell = (name: string, child: ChildProcess, message: Serializable): Effect.Effect<void, StepFailed> =>
  Effect.callback<void, StepFailed>((resume) => {
    const fail = (reason: string) => resume(Effect.fail(new StepFailed({ reason: `${name}: ${reason}` })))
    if (isGone(child) || !child.connected) return fail("not running")
    child.once("message", () => resume(Effect.void))
    child.send(message, (error) => {
      if (error !== null) fail(error.message)
    })
    return undefined
  }).pipe(
    Effect.timeoutOrElse({
      duration: answerWithin,
      orElse: () => Effect.fail(new StepFailed({ reason: `${name}: no answer within ${answerWithin}` }))
    })
  )

/** The guard is there before and goes after. */
const whileFrozen = <A, E>(child: ChildProcess, use: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void child.kill(name))
  if (isGone(child) || child.pid === undefined) return use
  return whileGuarded(
    child.pid,
    Effect.acquireUseRelease(
      signal("SIGSTOP"),
      () => use,
      () => signal("SIGCONT")
    )
  )
}

const lastLines = (log: string): ReadonlyArray<string> =>
  log
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-lastLinesShown)

const howItEnded = ({ pid, exitCode, signalCode }: ChildProcess): string => {
  if (pid === undefined) return "could not be started"
  return signalCode === null ? `ended by itself with exit code ${exitCode}` : `was ended by ${signalCode}`
}

const untilGone = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const tell = () => resume(Effect.void)
    if (isGone(child)) return tell()
    child.once("exit", tell)
    return Effect.sync(() => child.off("exit", tell))
  })

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

export const makeChild = (spec: ChildSpec): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running: { child: ChildProcess | undefined; loggedBytes: number } = { child: undefined, loggedBytes: 0 }
    const withChild = (use: (child: ChildProcess) => Effect.Effect<void>) =>
      Effect.suspend(() => (running.child === undefined ? Effect.void : use(running.child)))
    const log = Effect.sync(() => readFileSync(spec.logFile).subarray(running.loggedBytes).toString("utf8"))
    const tellEnd = (child: ChildProcess) =>
      Effect.flatMap(log, (text) => {
        const reason = [`${spec.name} ${howItEnded(child)}; its log ends with:`, ...lastLines(text)].join("\n")
        return Effect.fail(new StepFailed({ reason }))
      })
    yield* Effect.addFinalizer(() => withChild(endKindly))
    return {
      name: spec.name,
      pid: () => running.child?.pid,
      isRunning: () => running.child !== undefined && !isGone(running.child),
      start: Effect.sync(() => {
        if (running.child !== undefined && !isGone(running.child)) throw new Error(`${spec.name} runs already`)
        running.loggedBytes = sizeOf(spec.logFile)
        running.child = launch(spec)
      }),
      kill: withChild((child) => end(child, "SIGKILL")),
      stop: withChild(endKindly),
      whileFrozen: (use) => Effect.suspend(() => (running.child === undefined ? use : whileFrozen(running.child, use))),
      tell: (message) =>
        Effect.suspend(() =>
          running.child === undefined
            ? Effect.fail(new StepFailed({ reason: `${spec.name}: not running` }))
            : tell(spec.name, running.child, message)
        ),
      log,
      gone: Effect.suspend(() => {
        const { child } = running
        return child === undefined ? Effect.never : Effect.andThen(untilGone(child), tellEnd(child))
      })
    }
  })
