/** The drills, as a user plays them: `drills.md`. Each is a real process with real ones below it. */
import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { drills } from "../../src/programs/drill/drills.ts"
import type { DrillReport } from "../../src/programs/drill/Report.ts"
import { run, start } from "../support/processes.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-drills-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const readReport = async (name: string): Promise<DrillReport> =>
  JSON.parse(await readFile(join(folder, `${name}.json`), "utf8"))

/** A drill that fails keeps its folder. */
const removeKept = async (output: string) => {
  const kept = /^logs: (.*)\/\*\.log$/m.exec(output)?.[1]
  if (kept !== undefined && dirname(kept) === tmpdir()) await rm(kept, { recursive: true, force: true })
}

describe("holdfast drill", () => {
  it.each(drills.map(({ name, steps }) => ({ name, steps })))(
    "$name: every promise is kept",
    async ({ name, steps }) => {
      const { code, output } = await run(["drill", name, "--report", folder])
      await removeKept(output)
      assert.strictEqual(code, 0, output)
      for (const { title } of steps) assert.include(output, title)
      const report = await readReport(name)
      assert.isTrue(report.passed)
      assert.isTrue(report.steps.every(({ outcome }) => outcome === "passed"))
      assert.strictEqual(report.traffic.failed, 0)
      assert.isAbove(report.traffic.sent, 500)
      for (const { tookMs, limitMs } of report.recoveries) assert.isBelow(tookMs, limitMs)
      assert.include(await readFile(join(folder, `${name}.md`), "utf8"), "**Passed.**")
    }
  )

  it("drills a configuration of the user's, without a request to its upstreams, and says what it passes over", async () => {
    const file = join(folder, "kong.yml")
    await writeFile(
      file,
      `_format_version: "3.0"
services:
- name: everything
  url: https://nowhere.invalid:8443/base
  routes:
  - { name: all, paths: [/] }
  - { name: named, hosts: ["*.example.com"], methods: [DELETE], headers: { x-tenant: [one] } }
  - { name: numbered, paths: ['~/n/\\d+$'] }
  - { name: streamed, protocols: [grpc], paths: [/grpc] }
`
    )
    const { code, output } = await run(["drill", "cp-loss", "--config", file, "--report", folder])
    await removeKept(output)
    assert.strictEqual(code, 0, output)
    assert.include(output, "made safe: 1 service lead")
    assert.include(output, "not asked: route streamed: its protocols are grpc")
    const { configuration } = await readReport("cp-loss")
    assert.deepInclude(configuration, { name: file, routes: 4, requests: 3 })
  })

  /** No gateway takes a header of this size, and no client sends the other one for another request than its own. */
  const unanswerable = `_format_version: "3.0"
services:
- name: s
  url: http://nowhere.invalid
  routes:
  - { name: plain, paths: [/p] }
  - { name: framed, paths: [/f], headers: { content-length: ["5"] } }
  - { name: long, paths: [/l], headers: { x-long: ["${"a".repeat(40_000)}"] } }
`

  it("exits with 3 when a first look finds a request that is not answered, and names it: no promise was broken", async () => {
    const file = join(folder, "unanswerable.yml")
    await writeFile(file, unanswerable)
    const { code, output } = await run(["drill", "cp-loss", "--config", file, "--report", folder])
    await removeKept(output)
    assert.strictEqual(code, 3, output)
    assert.include(output, "not asked: route framed: it wants a header content-length")
    assert.match(output, /not answered: route long: GET \/l was answered/)
    assert.match(output, /\?\s+start a control plane.*\n\s+1 of 2 requests are not answered .*--skip-unanswered/)
    assert.include(output, "could not be played to its end: nothing is known about the promise")
    assert.deepInclude(await readReport("cp-loss"), { passed: false, verdict: "could not be played" })
  })

  it("passes over what is not answered, aloud, when that is asked for: none of it counts, not even on an empty node", async () => {
    const file = join(folder, "unanswerable.yml")
    await writeFile(file, unanswerable)
    const { code, output } = await run([
      "drill",
      "cold-start",
      "--skip-unanswered",
      "--config",
      file,
      "--report",
      folder
    ])
    await removeKept(output)
    assert.strictEqual(code, 0, output)
    assert.match(output, /not answered: route long: GET \/l was answered/)
    const { configuration } = await readReport("cold-start")
    assert.strictEqual(configuration.requests, 1)
    assert.sameMembers(
      configuration.skipped.map(({ what }) => what),
      ["route framed", "route long"]
    )
  })

  it("exits with 1 and tells what failed, why and when, when a promise is broken", async () => {
    const drill = start(["drill", "cp-loss", "--report", folder])
    const isBroken = setInterval(() => {
      if (!drill.log().includes("let traffic flow")) return
      clearInterval(isBroken)
      const processes = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
      const echo = new RegExp(`^\\s*(\\d+)\\s+${drill.pid}\\s.* echo --port`, "m").exec(processes)?.[1]
      if (echo !== undefined) process.kill(Number(echo), "SIGKILL")
    }, 50)
    const { code } = await drill.exit
    clearInterval(isBroken)
    await removeKept(drill.log())
    assert.strictEqual(code, 1, drill.log())
    assert.match(drill.log(), /failed {2}kill -9 the control plane: traffic goes on\n\s+\d+ requests failed/)
    const report = await readReport("cp-loss")
    assert.isFalse(report.passed)
    assert.deepEqual(
      report.steps.map(({ outcome }) => outcome),
      ["passed", "failed", "not played", "not played", "not played", "not played"]
    )
    assert.match(report.traffic.failures[0]?.reason ?? "", /502|503/)
    assert.isAbove(report.traffic.failures[0]?.firstAtMs ?? 0, 0)
  })

  it.each([
    { what: "no drill", args: [], said: /DRILL is missing/ },
    { what: "an unknown drill", args: ["fire"], said: /DRILL: expected one of cp-loss, .*, got "fire"/ },
    {
      what: "a file that isn't there",
      args: ["cp-loss", "--config", "/nowhere.yml"],
      said: /expected a readable file/
    },
    {
      what: "a report that can't be made",
      args: ["cp-loss", "--report", "package.json"],
      said: /--report: expected a folder in which the report can be written \(EEXIST/
    },
    { what: "a file that is no configuration", args: ["cp-loss", "--config", "package.json"], said: /_format_version/ }
  ])("exits with 2 for $what", async ({ args, said }) => {
    const { code, output } = await run(["drill", ...args])
    assert.strictEqual(code, 2, output)
    assert.match(output, said)
  })

  it("refuses a report that can't be written before anything is played", async () => {
    // Root may write everywhere, but nobody writes a file over a folder.
    await mkdir(join(folder, "taken", "cold-start.json"), { recursive: true })
    const { code, output } = await run(["drill", "cold-start", "--report", join(folder, "taken")])
    assert.strictEqual(code, 2, output)
    assert.match(output, /--report: expected a folder in which the report can be written \(EISDIR/)
    assert.notInclude(output, "configuration:")
    assert.deepEqual(await readdir(join(folder, "taken")), ["cold-start.json"])
  })

  it("exits with 2 and names TMPDIR when there is no folder for temporary files", async () => {
    const { code, output } = await run(["drill", "cold-start"], { TMPDIR: "/nowhere" })
    assert.strictEqual(code, 2, output)
    assert.match(output, /TMPDIR: expected a folder for temporary files \(ENOENT/)
  })
})
