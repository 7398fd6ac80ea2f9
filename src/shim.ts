#!/usr/bin/env node
/**
 * What `dist/main.js` is. On a Node that is new enough it loads the daemon; on an older one it runs itself again on the
 * Node that the development dependencies pin, and is then nothing but that process: its signals go there, its exit
 * code and its end come from there. So it does for the one command that wants another heap than Node's. Nothing is
 * imported but Node itself, and the syntax is one that old Nodes parse.
 */
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { totalmem } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { dieWithParent, tiedEnv, tiedName } from "./DieWithParent.ts"

const forwarded = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const
const continuedName = "_HOLDFAST_CONTINUED"

/**
 * Files, gzip and the system's resolver share these threads, and a call that a dead disk never answers keeps one for
 * good. How many there are is settled when the first is needed, which nothing has done here yet: the modules so far were
 * read without. What is loaded before this one by a flag may have.
 */
const poolName = "UV_THREADPOOL_SIZE"
const poolSize = "16"
const preloading = /(^|\s)(-r|--(import|require|loader|experimental-loader))\b/

const raisePool = (): void => {
  if (process.env[poolName] !== undefined) return
  if (preloading.test([...process.execArgv, process.env.NODE_OPTIONS].join(" "))) return
  process.env[poolName] = poolSize
}

/**
 * A simulated fleet is thousands of nodes of which each is idle for a long while in between: in the usual young generation
 * almost everything is moved twice, which was a tenth of the work; and near the usual bound of the old one, 4 GB at most,
 * ten thousand nodes were a third of their time collected in vain. A flag that somebody gives comes later, and counts.
 */
const heapFlags = (): ReadonlyArray<string> => {
  if (process.argv[2] !== "simulate") return []
  const allowedBytes = typeof process.constrainedMemory === "function" ? process.constrainedMemory() : 0
  const memoryBytes = Math.min(totalmem(), allowedBytes > 0 ? allowedBytes : totalmem())
  const oldSpaceMb = Math.floor((memoryBytes * 0.75) / 2 ** 20)
  return [`--max-semi-space-size=${oldSpaceMb < 4_096 ? 64 : 256}`, `--max-old-space-size=${oldSpaceMb}`]
}

const isNewEnough = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major > 22 || (major === 22 && minor >= 19)
}

const pinnedNode = (): string | undefined => {
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
    return join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node")
  } catch {
    return undefined
  }
}

const refuse = (why: string): void => {
  process.stderr.write(`holdfast: needs Node 22.19 or newer; this is ${process.versions.node}, and ${why}\n`)
  process.exitCode = 2
}

const continueOn = (node: string, self: string): void => {
  const child = spawn(node, [...heapFlags(), ...process.execArgv, self, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, ...tiedEnv, [continuedName]: "1" }
  })
  for (const signal of forwarded) process.on(signal, () => child.kill(signal))
  child.on("error", (error) => refuse(`${node} did not start (${error.message})`))
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code === null ? 1 : code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

const main = async (): Promise<void> => {
  if (process.env[tiedName] !== undefined) dieWithParent()
  const isContinued = process.env[continuedName] !== undefined
  const isRight = isNewEnough(process.versions.node)
  if (isRight && (isContinued || heapFlags().length === 0)) {
    delete process.env[continuedName]
    raisePool()
    // Unheard, it opens Node's debugger, which lets in whoever is on the machine. The daemon hears it once it is loaded.
    process.on("SIGUSR1", () => {})
    await import(new URL("./daemon/main.js", import.meta.url).href)
    return
  }
  const node = isContinued ? undefined : isRight ? process.execPath : pinnedNode()
  if (node === undefined) refuse("no newer one is installed beside Holdfast")
  else continueOn(node, fileURLToPath(import.meta.url))
}

await main()
