/**
 * Builds `dist/`: the daemon as a bundle that starts fast, the shim in front of it, and the library as modules with
 * types. Flags: `--if-stale` does nothing when what was built came from these very sources; `--daemon-only` leaves the
 * library out, which `npm start` and `npm test` don't need.
 */
import { spawnSync } from "node:child_process"
import { chmod, cp, mkdir, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type OutputChunk, rolldown } from "rolldown"
import { clearStamp, isFresh, type Part, sourceHash, writeStamp } from "./buildStamp.ts"
import { thirdPartyLicenses } from "./thirdPartyLicenses.ts"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, "dist")

/** `ws` is CommonJS and calls `require`, which a module does not have. */
const requireBanner = `import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);`

const bundle = async (options: {
  readonly input: Record<string, string>
  readonly dir: string
  readonly target: string
  readonly banner?: string
}) => {
  const build = await rolldown({
    input: options.input,
    cwd: root,
    platform: "node",
    transform: { target: options.target },
    onLog: (level, log, report) => {
      if (level === "warn") throw new Error(log.message)
      report(level, log)
    }
  })
  const { output } = await build.write({
    dir: options.dir,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    minify: false,
    ...(options.banner === undefined ? {} : { banner: options.banner })
  })
  await build.close()
  return output.filter((part): part is OutputChunk => part.type === "chunk")
}

/** Built aside and moved into place, so that a build which is cut short or runs twice leaves no half of a daemon. */
const buildDaemon = async (): Promise<void> => {
  const aside = join(dist, `.daemon-${process.pid}`)
  await mkdir(aside, { recursive: true })
  const chunks = await bundle({
    input: { main: "src/main.ts", storageWorker: "src/layers/object-storage/storageWorker.ts" },
    dir: join(aside, "daemon"),
    target: "node22.19",
    banner: requireBanner
  })
  await bundle({ input: { main: "src/shim.ts" }, dir: join(aside, "shim"), target: "node16" })
  await thirdPartyLicenses(root, chunks, join(aside, "daemon", "THIRD-PARTY-LICENSES.txt"))
  await rm(join(dist, "daemon"), { recursive: true, force: true })
  await rename(join(aside, "daemon"), join(dist, "daemon"))
  await cp(join(aside, "shim", "main.js"), join(dist, "main.js"))
  await chmod(join(dist, "main.js"), 0o755)
  await rm(aside, { recursive: true, force: true })
}

const buildLibrary = async (): Promise<void> => {
  await rm(join(dist, "lib"), { recursive: true, force: true })
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" })
  if (status !== 0) throw new Error("the library does not type-check")
}

const builders: Readonly<Record<Part, () => Promise<void>>> = { daemon: buildDaemon, lib: buildLibrary }

const main = async (flags: ReadonlySet<string>): Promise<void> => {
  const parts: ReadonlyArray<Part> = flags.has("--daemon-only") ? ["daemon"] : ["daemon", "lib"]
  const hash = sourceHash(root)
  for (const part of parts) {
    if (flags.has("--if-stale") && isFresh(dist, part, hash)) continue
    const startedMs = performance.now()
    clearStamp(dist, part)
    await builders[part]()
    writeStamp(dist, part, hash)
    console.log(`built dist/${part} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  }
}

try {
  await main(new Set(process.argv.slice(2)))
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
