/** `drills.md`: "No process outlives a drill, not even one that is killed", and what stays of it is swept by the next one. */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname } from "node:path"
import { assert, it } from "vitest"
import { eventually, run, start } from "../support/processes.ts"

interface Process {
  readonly pid: number
  readonly ppid: number
  readonly state: string
  readonly args: string
}

const processes = (): ReadonlyArray<Process> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [, pid, ppid, state = "", args = ""] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
      return pid === undefined ? [] : [{ pid: Number(pid), ppid: Number(ppid), state, args }]
    })

const endAll = (pids: ReadonlySet<number>): void => {
  for (const pid of pids)
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It is gone, as it should be.
    }
}

it("a drill that is killed while its node is suspended leaves no process behind, and its folder to the next one", async () => {
  const drill = start(["drill", "clock-skew"])
  const children = new Set<number>()
  let frozen: Process | undefined
  try {
    await eventually(
      "the node is suspended",
      60_000,
      async () => {
        const own = processes().filter(({ ppid }) => ppid === drill.pid)
        for (const { pid } of own) children.add(pid)
        frozen = own.find(({ state }) => state.startsWith("T"))
        return frozen
      },
      (found) => found !== undefined
    )
    await drill.kill("SIGKILL")
    await eventually(
      "the suspended node is gone, and so are the others",
      10_000,
      async () => processes().filter(({ pid, state }) => children.has(pid) && !state.startsWith("Z")),
      (left) => left.length === 0
    )
    const folder = dirname(/--faults (\S+)/.exec(frozen?.args ?? "")?.[1] ?? "")
    assert.strictEqual(dirname(folder), tmpdir())
    assert.isTrue(existsSync(folder))
    const { output } = await run(["drill", "cp-loss", "--config", "package.json"])
    assert.include(output, `swept: ${folder}`)
    assert.isFalse(existsSync(folder))
  } finally {
    endAll(children)
    const faults = /--faults (\S+)/.exec(frozen?.args ?? "")?.[1]
    if (faults !== undefined && dirname(dirname(faults)) === tmpdir())
      await rm(dirname(faults), { recursive: true, force: true })
  }
})
