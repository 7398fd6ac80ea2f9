/**
 * `npm run emulators`: installs the stores that `test/e2e/objectStorage.test.ts` runs against, as far as this machine allows, into
 * `tools/emulators` (nothing of it is committed): two Go programs, where there is a Go, and one from npm. What can't be had
 * is said, and its tests are skipped aloud. Always ends well, and in time: `--limit SECONDS` in all (240), a quarter of them for npm.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "tools", "emulators")
const bin = join(folder, "bin")

const { values } = parseArgs({ options: { limit: { type: "string", default: "240" } } })
const endMs = performance.now() + Number(values.limit) * 1000

interface Emulator {
  readonly name: string
  readonly file: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Of the time that is left when its turn comes. A registry that does not answer must not use up what the others need. */
  readonly share: number
}

const ofGo = (name: string, module: string): Emulator => ({
  name,
  file: join(bin, name),
  command: "go",
  args: ["install", module],
  share: 1
})

const emulators: ReadonlyArray<Emulator> = [
  {
    name: "azurite",
    file: join(folder, "node_modules", "azurite", "package.json"),
    command: "npm",
    args: ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    share: 0.25
  },
  ofGo("versitygw", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
  ofGo("fake-gcs-server", "github.com/fsouza/fake-gcs-server@v1.56.1")
]

/** Why it could not be had; `undefined` when it is there. */
const install = ({ file, command, args, share }: Emulator): string | undefined => {
  if (existsSync(file)) return undefined
  const leftMs = (endMs - performance.now()) * share
  if (leftMs < 1000) return "there was no time left for it"
  // A process group of its own, so that what it started ends with it: a compiler, a download.
  const { error, status, stderr } = spawnSync(
    "timeout",
    ["-k", "5", String(Math.floor(leftMs / 1000)), command, ...args],
    {
      cwd: folder,
      env: { ...process.env, GOBIN: bin, GOFLAGS: "-mod=mod", CGO_ENABLED: "0" },
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8"
    }
  )
  if (status === 0 && existsSync(file)) return undefined
  if (command === "npm") rmSync(join(folder, "node_modules"), { recursive: true, force: true })
  if (error !== undefined) return `it could not be tried (${error.message})`
  if (status === 127) return `there is no ${command} on this machine`
  if (status === 124 || status === 137) return "it took too long"
  return stderr.trim().split("\n").at(-1) ?? `${command} ended with exit code ${status}`
}

mkdirSync(bin, { recursive: true })
for (const emulator of emulators) {
  const why = install(emulator)
  console.log(why === undefined ? `${emulator.name} is there` : `SKIPPED: ${emulator.name} can't be installed: ${why}`)
}
