/** What the documents call a series is one that a node tells, or one that they say is left out. */
import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { fleetSeries } from "../../src/model/metrics/fleetSeries.ts"
import { nodeSeries } from "../../src/model/metrics/nodeSeries.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const leftOut = /^kong_(memory_|nginx_timers$|stream_|session_duration_ms$)/

const codeIn = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code).join("\n")

it("documents name series that there are", () => {
  const known = new Set([...Object.keys(nodeSeries), ...Object.keys(fleetSeries)])
  const files = globSync("docs/{observability,status,metrics}.md", { cwd: root })
  const strange = files.flatMap((file) =>
    [...codeIn(readFileSync(`${root}/${file}`, "utf8")).matchAll(/\b(?:kong|holdfast)_\w+/g)]
      .map(([name]) => name)
      .filter((name) => !known.has(name) && !leftOut.test(name) && name !== "kong_version")
      .map((name) => `${file}: ${name}`)
  )
  assert.deepEqual(strange, [])
  assert.lengthOf(files, 3)
})
