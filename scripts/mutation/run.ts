/**
 * `npm run mutation [-- TARGET …]`: plants faults in a part of the project, one at a time, and asks whether a test notices.
 *
 *   --concurrency N     test processes at a time (1)
 *   --only FILE[:A-B]   these files or lines alone, of one target
 *   --docs              writes the results into docs/mutation-testing.md
 *
 * Exit code 1: a score below its target's, a survivor without a reason, or a reason without a survivor. 2: wrong usage.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { judge, type Verdict } from "./judge.ts"
import { renderPage } from "./page.ts"
import { reasons } from "./reasons.ts"
import { mutate } from "./stryker.ts"
import { type Target, targetNamed, targets } from "./targets.ts"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const usage = (fault: string): never => {
  console.error(`${fault}\nusage: npm run mutation -- [--concurrency N] [--only FILE[:A-B]] [--docs] [TARGET …]`)
  console.error(`targets: ${targets.map(({ name }) => name).join(", ")}`)
  process.exit(2)
}

const parsed = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        concurrency: { type: "string", default: "1" },
        only: { type: "string", multiple: true, default: [] },
        docs: { type: "boolean", default: false }
      }
    })
  } catch (error) {
    return usage(String(error))
  }
}

const chosen = (names: ReadonlyArray<string>): ReadonlyArray<Target> =>
  names.length === 0 ? targets : names.map((name) => targetNamed(name) ?? usage(`no target is called ${name}`))

const tell = (target: Target, verdict: Verdict): void => {
  const { mutants, killed, timedOut, survivors, score, stale } = verdict
  for (const { file, line, text, mutation, mutator, why } of survivors) {
    console.log(`\n${file}:${line}: survived, ${mutator}\n  ${text}\n  ${mutation}`)
    console.log(`  ${why ?? "no reason: write the test that notices, or list it in scripts/mutation/reasons.ts"}`)
  }
  for (const { file, text, mutation } of stale)
    console.log(`\n${file}: listed as a survivor, and is none\n  ${text}\n  ${mutation}`)
  const without = survivors.filter(({ why }) => why === undefined).length
  console.log(`\n${target.name}: ${score.toFixed(2)} % (at least ${target.leastPercent} %)`)
  console.log(`  ${mutants} mutants, ${killed} killed, ${timedOut} timed out, ${survivors.length} survived`)
  console.log(`  ${without} survivors without a reason, ${stale.length} reasons without a survivor\n`)
}

const isGood = (target: Target, { score, survivors, stale }: Verdict): boolean =>
  score >= target.leastPercent && survivors.every(({ why }) => why !== undefined) && stale.length === 0

const { values, positionals } = parsed()
const concurrency = Number(values.concurrency)
if (!Number.isInteger(concurrency) || concurrency < 1) usage(`--concurrency ${values.concurrency}: expected 1 or more`)
const all = chosen(positionals)
if (values.only.length > 0 && all.length !== 1) usage("--only goes with one target")
if (values.only.length > 0 && values.docs) usage("--docs goes with whole targets")

const results = all.map((target) => {
  console.log(`== ${target.name}: ${(values.only.length > 0 ? values.only : target.sources).join(", ")}`)
  const report = mutate(target, { root, concurrency, only: values.only })
  const whole = judge(report, reasons)
  // A part of a target can't tell which reasons of the rest are stale.
  const verdict = values.only.length > 0 ? { ...whole, stale: [] } : whole
  tell(target, verdict)
  return { target, verdict }
})
if (values.docs) {
  const page = join(root, "docs", "mutation-testing.md")
  writeFileSync(page, renderPage(results, existsSync(page) ? readFileSync(page, "utf8") : ""))
}
process.exitCode = results.every(({ target, verdict }) => isGood(target, verdict)) ? 0 : 1
