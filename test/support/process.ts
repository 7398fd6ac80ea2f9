/** Real processes in tests: started, read, signalled, awaited; none is left behind. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { Effect, type Scope } from "effect"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Effect.Effect<Ended>
}

export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: SpawnOptions = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options })
      const text = { stdout: "", stderr: "" }
      child.stdout?.on("data", (chunk: Buffer) => {
        text.stdout += chunk.toString()
      })
      child.stderr?.on("data", (chunk: Buffer) => {
        text.stderr += chunk.toString()
      })
      const ended = new Promise<Ended>((resolve, reject) => {
        child.once("error", reject)
        const end = (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal, ...text })
        child.once("close", end)
        // A child whose IPC channel was cut never says that it is closed.
        child.once("exit", (code, signal) => setTimeout(() => end(code, signal), 500))
      })
      return {
        child,
        pid: child.pid ?? 0,
        stdout: () => text.stdout,
        stderr: () => text.stderr,
        ended: Effect.promise(() => ended)
      }
    }),
    ({ child }) => Effect.sync(() => void child.kill("SIGKILL"))
  )

/** Waits in real time. */
export const until = (holds: () => boolean, withinMs = 10_000): Effect.Effect<void> =>
  Effect.promise(async () => {
    const endMs = performance.now() + withinMs
    while (!holds()) {
      if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${holds}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

/** A process that ended but that nobody has asked about yet is not alive. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch (error) {
    return error instanceof Error && "path" in error
  }
}
