/** Lints `deploy/`, part of `npm run check`: what can't be run here is at least read. */
import { spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { composeFaults, dockerfileFaults, kubernetesFaults, type Rule } from "./deployRules.ts"
import { alertRuleFaults, dashboardFaults } from "./monitoringRules.ts"

/** What a tool that may not be there says of our files: nothing when all is well. */
const askTool = (tool: string, args: ReadonlyArray<string>, cwd: string): string | "absent" => {
  const { error, status, stdout, stderr } = spawnSync(tool, args, { cwd, encoding: "utf8" })
  if (error !== undefined) return "absent"
  return status === 0 ? "" : `${stdout}${stderr}`
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const rules: Readonly<Record<string, Rule>> = {
  "deploy/docker/Dockerfile": dockerfileFaults,
  "deploy/compose.yaml": composeFaults,
  "deploy/kubernetes/*.yaml": kubernetesFaults,
  "deploy/monitoring/holdfast.rules.yml": alertRuleFaults,
  "deploy/monitoring/grafana-*.json": dashboardFaults
}

const faults: Array<string> = []
let count = 0
for (const [pattern, rule] of Object.entries(rules)) {
  const files = globSync(pattern, { cwd: root })
  if (files.length === 0) faults.push(`${pattern}: there is no such file`)
  for (const file of files) {
    count++
    faults.push(...rule(readFileSync(join(root, file), "utf8")).map((fault) => `${file}: ${fault}`))
  }
}

/** Of these units and not of the machine's own; the program that they start need not be on the machine that checks. */
const counts = (line: string): boolean =>
  line.includes("holdfast-") && !/is not executable: No such file or directory/.test(line)

const units = globSync("deploy/systemd/*.service", { cwd: root }).map((file) => join(root, file))
const verified = spawnSync("systemd-analyze", ["verify", "--man=no", ...units], { encoding: "utf8" })
if (verified.error !== undefined) {
  console.log("SKIPPED: deploy/systemd is not verified, for there is no systemd-analyze on this machine")
} else {
  count += units.length
  const said = verified.stderr.split("\n").filter(counts)
  faults.push(...said.map((line) => `deploy/systemd: ${line}`))
}

const promtoolRuns = [
  ["check", "config", "prometheus.yml"],
  ["check", "rules", "holdfast.rules.yml"],
  ["test", "rules", "holdfast.rules.test.yml"]
]
const told = promtoolRuns.map((args) => askTool("promtool", args, join(root, "deploy/monitoring")))
if (told.includes("absent")) {
  console.log("SKIPPED: deploy/monitoring is not tested, for there is no promtool (Debian: prometheus) on this machine")
} else {
  count += promtoolRuns.length
  faults.push(...told.filter((said) => said !== "").map((said) => `deploy/monitoring: ${said.trim()}`))
}

for (const fault of faults) console.error(fault)
console.log(`deploy: ${count} files, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
