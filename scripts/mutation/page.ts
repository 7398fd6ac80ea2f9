/** `docs/mutation-testing.md`: how it is done, and the result of each target. A target that was not run keeps its result. */
import type { Count, Survivor, Verdict } from "./judge.ts"
import { type Target, targets } from "./targets.ts"

export interface Result {
  readonly target: Target
  readonly verdict: Verdict
}

const introduction = `# Mutation testing

<!-- Written by \`npm run mutation -- --docs\`. -->

A test that can't fail looks like any other. So faults are planted in the code, one at a time: a comparison turned round, a
condition forced, a member of a state forgotten, a part of a sequence left out, a number shifted. Each of these mutants is run
against the tests that reach it. One that makes a test fail is *killed*; one that no test notices *survives*.

    npm run mutation                                  # everything
    npm run mutation -- session                       # one target of scripts/mutation/targets.ts
    npm run mutation -- session --only src/model/session/link.ts:40-60
    npm run mutation -- --docs                        # and writes the results into this page

One test process runs at a time; \`--concurrency N\` allows more. A mutant costs about half a second of one core, most of it for
starting its tests: five minutes for the session machine on an idle machine. The command fails when a score is below its target's
threshold, when a survivor has no reason in \`scripts/mutation/reasons.ts\`, and when a reason there has no survivor any more. A
survivor without a reason is a test that is missing, code that is not needed, or a fault.

## How it is done

- **Stryker with its vitest runner** compiles all mutants of a target into one copy of the project and switches one on at a time.
  It has a lock file of its own in \`tools/mutation\` and is installed by the first run: \`npm ci\` does not bring it. The vitest
  that it runs is the project's.
- **TypeScript 7 has no JavaScript API**, with which Stryker reads \`tsconfig.json\` (it ends with
  \`ts.parseConfigFileTextToJson is not a function\`). It only wants to rewrite paths that this project does not use, so it is told
  of no such file. Mutants are not type-checked: some are planted that the compiler would refuse, and those die at once.
- **Mutators of our own** (\`scripts/mutation/mutators.ts\`) plant what Stryker's leave out: a member gone from a copied object, an
  element from a list, a part from \`sequence\` or \`pipe\`, one side of \`??\`, a statement; a number one larger.
- **What is not mutated**: types, imports, log calls, the names of fibers in the log.
- **Properties run on a fixed seed**, so that a survivor is one because no test notices, and not for want of luck.
- **Loops without end** are stopped by the number of their rounds, everything else by time. Both count as killed.
- **The canary** is code with a test that hardly looks at it. All faults that it lets pass are listed, one at least for each of our
  mutators; should the tool cease to find one of them, it says so before anybody trusts its other numbers.
`

const percent = ({ mutants, killed, timedOut }: Count): string =>
  mutants === 0 ? "" : ((100 * (killed + timedOut)) / mutants).toFixed(2)

const row = (name: string, count: Count): string =>
  `| ${name} | ${count.mutants} | ${count.killed} | ${count.timedOut} | ${count.survived} | ${percent(count)} % |`

/** Code in a line of Markdown, whatever it contains. */
const code = (text: string): string => {
  const fence = "`".repeat(Math.max(0, ...(text.match(/`+/g) ?? []).map(({ length }) => length)) + 1)
  const space = text.startsWith("`") || text.endsWith("`") ? " " : ""
  return `${fence}${space}${text}${space}${fence}`
}

const survivorLines = (survivors: ReadonlyArray<Survivor>): ReadonlyArray<string> => {
  const places = Map.groupBy(
    survivors,
    ({ file, text, why }) => `${code(text)} in ${code(file)}. ${why ?? "No reason yet."}`
  )
  return [...places].flatMap(([place, ones]) => [`- ${place}`, ...ones.map(({ mutation }) => `  - ${code(mutation)}`)])
}

const section = ({ target, verdict }: Result): string =>
  [
    `## ${target.name}: ${verdict.score.toFixed(2)} %`,
    "",
    `Mutated: ${target.sources.map(code).join(", ")}. Tests: ${target.tests.map(code).join(", ")}.`,
    "",
    "| file | mutants | killed | timed out | survived | score |",
    "|---|---|---|---|---|---|",
    ...verdict.files.map(({ file, ...count }) => row(code(file), count)),
    row("all", verdict),
    "",
    ...(verdict.survivors.length === 0 ? [] : ["Survivors:", "", ...survivorLines(verdict.survivors), ""])
  ].join("\n")

const kept = (page: string, { name }: Target): string | undefined =>
  page.split(/\n(?=## )/).find((part) => part.startsWith(`## ${name}:`))

export const renderPage = (results: ReadonlyArray<Result>, before: string): string => {
  const sections = targets.flatMap((target) => {
    const result = results.find((one) => one.target === target)
    const text = result === undefined ? kept(before, target) : section(result)
    return text === undefined ? [] : [text.trimEnd()]
  })
  return `${[introduction.trimEnd(), ...sections].join("\n\n")}\n`
}
