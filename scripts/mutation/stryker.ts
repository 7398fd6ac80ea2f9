/**
 * Runs Stryker on one target. It lives in `tools/mutation`, with a lock file of its own, and is installed by the first run:
 * nobody else needs it.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Report } from "./judge.ts"
import type { Target } from "./targets.ts"

export interface Options {
  readonly root: string
  /** Test processes at a time. */
  readonly concurrency: number
  /** Mutates these alone, as `FILE` or `FILE:FIRST-LAST`. */
  readonly only: ReadonlyArray<string>
}

const changedMs = (path: string): number => (existsSync(path) ? statSync(path).mtimeMs : 0)

const install = (folder: string): void => {
  if (changedMs(join(folder, "node_modules", ".package-lock.json")) >= changedMs(join(folder, "package-lock.json")))
    return
  console.log("installing Stryker")
  const { status } = spawnSync("npm", ["ci", "--loglevel=error"], { cwd: folder, stdio: "inherit" })
  if (status !== 0) throw new Error("Stryker could not be installed: the first run needs the npm registry")
}

const configOf = (target: Target, { concurrency, only }: Options, report: string) => ({
  mutate: only.length > 0 ? only : target.sources,
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner", "./scripts/mutation/strykerPlugin.ts"],
  ignorers: ["logs"],
  vitest: { configFile: "scripts/mutation/vitest.config.ts", related: false },
  coverageAnalysis: "perTest",
  concurrency,
  // A busy machine must not turn a survivor into a killed one. Loops without end are ended by their number of rounds, sooner.
  timeoutMS: 15_000,
  timeoutFactor: 2,
  // It is read with TypeScript's JavaScript API, which TypeScript 7 does not have. Nothing here needs it to be rewritten.
  tsconfigFile: "none",
  ignorePatterns: ["**", "!{src,test,scripts,examples}/**", "!package.json", "!tsconfig.json"],
  tempDirName: ".holdfast/mutation/tmp",
  cleanTempDir: "always",
  reporters: [process.stdout.isTTY ? "progress" : "progress-append-only", "json"],
  jsonReporter: { fileName: report },
  logLevel: "warn",
  allowEmpty: false
})

/** What it found. Its own last words are on the terminal when it could not. */
export const mutate = (target: Target, options: Options): Report => {
  const tool = join(options.root, "tools", "mutation")
  install(tool)
  const folder = join(options.root, ".holdfast", "mutation")
  mkdirSync(folder, { recursive: true })
  const [config, report] = [join(folder, `${target.name}.config.json`), join(folder, `${target.name}.json`)]
  writeFileSync(config, JSON.stringify(configOf(target, options, report)))
  rmSync(report, { force: true })
  const stryker = join(tool, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js")
  const { status, signal } = spawnSync(process.execPath, [stryker, "run", config], {
    cwd: options.root,
    stdio: "inherit",
    env: {
      ...process.env,
      HOLDFAST_MUTATION_TARGET: target.name,
      HOLDFAST_CASES: "",
      HOLDFAST_SEED: "",
      HOLDFAST_REWRITE: ""
    }
  })
  if (!existsSync(report)) throw new Error(`Stryker ended without a report (${signal ?? `exit code ${status}`})`)
  return JSON.parse(readFileSync(report, "utf8"))
}
