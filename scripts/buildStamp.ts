/**
 * Whether a part of `dist/` still comes from these very sources. By content, not by time: a checkout, a copy and a
 * clock that jumps all change times.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export type Part = "daemon" | "lib"

const inputs = ["src", "scripts", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"]
const outputs: Readonly<Record<Part, ReadonlyArray<string>>> = {
  daemon: ["main.js", "daemon/main.js", "daemon/storageWorker.js"],
  lib: ["lib/index.js"]
}

const filesUnder = (root: string, path: string): ReadonlyArray<string> => {
  const full = join(root, path)
  if (!existsSync(full)) return []
  const entries = readdirSync(full, { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

const isFolder = (name: string): boolean => !name.includes(".")

export const sourceHash = (root: string): string => {
  const files = inputs.flatMap((name) => (isFolder(name) ? filesUnder(root, name) : [join(root, name)])).sort()
  const hash = createHash("sha256")
  for (const file of files.filter((path) => existsSync(path))) {
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update("\0")
  }
  return hash.digest("hex")
}

const stampPath = (dist: string, part: Part): string => join(dist, `.${part}-built-from`)

export const isFresh = (dist: string, part: Part, hash: string): boolean =>
  existsSync(stampPath(dist, part)) &&
  readFileSync(stampPath(dist, part), "utf8") === hash &&
  outputs[part].every((file) => existsSync(join(dist, file)))

/** First of all, so that a build which is cut short does not count. */
export const clearStamp = (dist: string, part: Part): void => rmSync(stampPath(dist, part), { force: true })

export const writeStamp = (dist: string, part: Part, hash: string): void => {
  mkdirSync(dist, { recursive: true })
  writeFileSync(stampPath(dist, part), hash)
}
