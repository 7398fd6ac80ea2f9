/**
 * Ends the process, also while a file system call never returns. Before Node exits it waits for its pool of threads, and
 * one that a dead disk keeps would be waited for, for ever. Nothing in Node leaves a thread behind, but another program in
 * the place of this one does: so, where a call is under way, Node itself takes over and does nothing but exit.
 */
import { existsSync } from "node:fs"

/** What runs in the pool and may stay there: calls on files, and questions to the system's resolver. */
const inPool = /^(FSReq|FileHandleCloseReq|GetAddrInfoReq|GetNameInfoReq)/

/** The binary that runs, also when its file was replaced meanwhile. */
const binaries = ["/proc/self/exe", process.execPath]

const exitWithoutThreads = (code: number): never => {
  const binary = binaries.find((path) => existsSync(path))
  const { NODE_OPTIONS, ...env } = process.env
  if (binary !== undefined) process.execve?.(binary, [process.execPath, "-e", `process.exit(${code})`], env)
  // No such call on this system, or no binary: then with another code than wanted, but it ends.
  process.kill(process.pid, "SIGKILL")
  return process.exit(code)
}

export const endProcess: (code: number) => never = (code) =>
  process.getActiveResourcesInfo().some((name) => inPool.test(name)) ? exitWithoutThreads(code) : process.exit(code)
