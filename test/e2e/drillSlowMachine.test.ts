/** `drills.md`: what is slow on a machine, within the limits that the drill itself sets, breaks no promise of a node's. */
import { execFileSync } from "node:child_process"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname } from "node:path"
import { assert, it } from "vitest"
import { eventually, sleep, start } from "../support/processes.ts"

const childOf = (parent: number, word: string): number | undefined => {
  const all = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
  const pid = new RegExp(`^\\s*(\\d+)\\s+${parent}\\s.* ${word}`, "m").exec(all)?.[1]
  return pid === undefined ? undefined : Number(pid)
}

/** Each may take 15 s to answer; together they take longer than the node's last day has left when it starts. */
const stalls = [
  ["echo --port", 12_000],
  ["drill-node", 9_000]
] as const

it("expire-license plays on when its processes take 21 s to start", { timeout: 180_000 }, async () => {
  const drill = start(["drill", "expire-license"])
  for (const [word, ms] of stalls) {
    let pid: number | undefined
    await eventually(
      `${word} runs`,
      60_000,
      async () => {
        pid = childOf(drill.pid, word)
        return pid
      },
      (found) => found !== undefined
    )
    if (pid === undefined) throw new Error(`no ${word}`)
    process.kill(pid, "SIGSTOP")
    await sleep(ms)
    process.kill(pid, "SIGCONT")
  }
  const { code } = await drill.exit
  const kept = /^logs: (.*)\/\*\.log$/m.exec(drill.log())?.[1]
  if (kept !== undefined && dirname(kept) === tmpdir()) await rm(kept, { recursive: true, force: true })
  assert.strictEqual(code, 0, drill.log())
})
