/** Lints `deploy/`, part of `npm run check`: what can't be run here is at least read. */
import { spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { composeFaults, dockerfileFaults, kubernetesFaults, type Rule } from "./deployRules.ts"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const rules: Readonly<Record<string, Rule>> = {
  "deploy/docker/Dockerfile": dockerfileFaults,
  "deploy/compose.yaml": composeFaults,
  "deploy/kubernetes/*.yaml": kubernetesFaults
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

for (const fault of faults) console.error(fault)
console.log(`deploy: ${count} files, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
