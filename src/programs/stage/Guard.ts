/**
 * A stopped process hears of nothing, not of its parent's end either (`DieWithParent.ts`). While one is stopped, a guard
 * waits for that end in its stead, at a pipe whose other end only the parent has, and then ends it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { Effect } from "effect"

/** For `node -e`; its argument is the process to end. */
const script = "process.stdin.on('close', () => process.kill(Number(process.argv[1]), 'SIGKILL')).resume()"

const post = (pid: number): ChildProcess => {
  // Detached: what ends the parent's whole group leaves the guard to its work.
  const guard = spawn(process.execPath, ["-e", script, String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true
  })
  guard.on("error", () => {})
  return guard
}

/** Once this process is gone, however it ended, the other is as well. */
export const whileGuarded = <A, E>(pid: number, use: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => post(pid)),
    () => use,
    (guard) => Effect.sync(() => void guard.kill("SIGKILL"))
  )
