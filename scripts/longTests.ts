/**
 * `npm run test:long`: every property, with 20,000 cases each (`HOLDFAST_CASES` says another number). What a failure prints
 * plays its one case again. Further arguments go to vitest, such as the path of one file.
 */
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const casesDefault = "20000"
const oneTestMs = 3_600_000

/** A test that asks for a number of cases says so by how it gets it. */
const isProperty = (file: string): boolean =>
  /support\/(property|propertyRuns|cases)\.ts"|HOLDFAST_CASES/.test(readFileSync(join(root, file), "utf8"))

const given = process.argv.slice(2)
const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .map((name) => join("test", name))
  .filter((name) => name.endsWith(".test.ts") && !/^test\/(e2e|story|crash)\//.test(name))
  .filter(isProperty)
  .sort()

console.log(`${files.length} files with properties, ${process.env.HOLDFAST_CASES ?? casesDefault} cases each`)
const { status } = spawnSync(
  process.execPath,
  [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--project",
    "unit",
    "--testTimeout",
    String(oneTestMs),
    ...(given.length === 0 ? files : given)
  ],
  { cwd: root, stdio: "inherit", env: { HOLDFAST_CASES: casesDefault, ...process.env } }
)
process.exitCode = status ?? 1
