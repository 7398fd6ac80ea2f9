/** Fails when a file under `src`, or under the directory given, breaks a law of the house. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { violationsOf } from "./importLaws.ts"

const directory = process.argv[2] ?? join(dirname(dirname(fileURLToPath(import.meta.url))), "src")

const paths = readdirSync(directory, { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort()

const violations = paths.flatMap((path) =>
  violationsOf({ path: relative(directory, path).split(sep).join("/"), text: readFileSync(path, "utf8") })
)

for (const { path, line, law, message } of violations)
  console.error(`${join(directory, path)}:${line}: ${law}\n  ${message}`)
console.log(`import laws: ${paths.length} files, ${violations.length} violations`)
process.exitCode = violations.length === 0 && paths.length > 0 ? 0 : 1
