/** Writes every document that is made from the sources: `npm run docs`. A test fails while one of them is stale. */
import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { documents } from "./documents.ts"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const current = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

for (const [name, render] of Object.entries(documents)) {
  const text = render(root)
  const isNew = current(join(root, name)) !== text
  if (isNew) writeFileSync(join(root, name), text)
  console.log(`${name}: ${isNew ? "written" : "up to date"}`)
}
