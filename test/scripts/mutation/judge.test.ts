/** The verdict over a report of Stryker's, and the page that is made of it. */
import { assert, describe, it } from "@effect/vitest"
import { judge, type Reasoned, type Report, type ReportedMutant } from "../../../scripts/mutation/judge.ts"
import { renderPage } from "../../../scripts/mutation/page.ts"
import { targetNamed } from "../../../scripts/mutation/targets.ts"

const source = "const a = (b: number) =>\n  b > 1\n    ? b\n    : 1\n"

const mutant = (status: string, replacement = "b >= 1", lines: readonly [number, number] = [2, 2]): ReportedMutant => ({
  mutatorName: "EqualityOperator",
  status,
  replacement,
  location: { start: { line: lines[0], column: 3 }, end: { line: lines[1], column: 8 } }
})

const report = (...mutants: ReadonlyArray<ReportedMutant>): Report => ({ files: { "src/a.ts": { source, mutants } } })

const reason: Reasoned = {
  file: "src/a.ts",
  text: "b > 1",
  mutations: ["b > 1 → b >= 1"],
  why: "The same for whole numbers."
}

describe("the verdict", () => {
  it("counts what ran, and what timed out as killed", () => {
    const { mutants, killed, timedOut, survived, score } = judge(
      report(mutant("Killed"), mutant("Killed"), mutant("Timeout"), mutant("Survived"), mutant("NoCoverage")),
      []
    )
    assert.deepStrictEqual(
      { mutants, killed, timedOut, survived, score },
      { mutants: 5, killed: 2, timedOut: 1, survived: 2, score: 60 }
    )
  })

  it("leaves out what could not run or was not to", () => {
    const { mutants, score } = judge(
      report(mutant("Killed"), mutant("Ignored"), mutant("RuntimeError"), mutant("CompileError")),
      []
    )
    assert.deepStrictEqual([mutants, score], [1, 100])
  })

  it("is 0 % of nothing: a target without mutants is a mistake", () => assert.strictEqual(judge(report(), []).score, 0))

  it("names a survivor by file, line, source line and mutation", () => {
    const [survivor] = judge(report(mutant("Survived")), []).survivors
    assert.deepInclude(survivor, { file: "src/a.ts", line: 2, text: "b > 1", mutation: "b > 1 → b >= 1" })
    assert.isUndefined(survivor?.why)
  })

  it("writes a mutation that goes over several lines in one", () => {
    const [survivor] = judge(report(mutant("Survived", "{\n  b\n}", [2, 4])), []).survivors
    assert.strictEqual(survivor?.mutation, "b > 1 ? b : 1 → { b }")
  })

  it("counts a survivor with a reason as one all the same, and gives the reason", () => {
    const verdict = judge(report(mutant("Survived")), [reason])
    assert.strictEqual(verdict.score, 0)
    assert.deepStrictEqual(
      verdict.survivors.map(({ why }) => why),
      [reason.why]
    )
    assert.deepStrictEqual(verdict.stale, [])
  })

  it("takes no reason for another file, another line or another mutation", () => {
    for (const other of [{ file: "src/b.ts" }, { text: "b > 2" }, { mutations: ["b > 1 → b < 1"] }])
      assert.isUndefined(judge(report(mutant("Survived")), [{ ...reason, ...other }]).survivors[0]?.why)
  })

  it("says which reasons are for nothing that survives any more", () => {
    const stale = [{ file: "src/a.ts", text: "b > 1", mutation: "b > 1 → b >= 1" }]
    assert.deepStrictEqual(judge(report(mutant("Killed")), [reason]).stale, stale)
    assert.deepStrictEqual(judge(report(), [reason]).stale, stale)
  })

  it("does not call a reason stale over a time-out, nor over a file that was not mutated", () => {
    assert.deepStrictEqual(judge(report(mutant("Timeout")), [reason]).stale, [])
    assert.deepStrictEqual(judge(report(mutant("Killed")), [{ ...reason, file: "src/b.ts" }]).stale, [])
  })
})

describe("the page", () => {
  const canary = targetNamed("canary")
  const session = targetNamed("session")
  if (canary === undefined || session === undefined) throw new Error("the targets have other names")
  const verdict = judge(report(mutant("Killed"), mutant("Survived")), [reason])

  it("has a score, a row for each file and each survivor with its reason", () => {
    const page = renderPage([{ target: session, verdict }], "")
    assert.include(page, "## session: 50.00 %")
    assert.include(page, "| `src/a.ts` | 2 | 1 | 0 | 1 | 50.00 % |")
    assert.include(page, "- `b > 1` in `src/a.ts`. The same for whole numbers.\n  - `b > 1 → b >= 1`")
  })

  it("keeps the result of a target that was not run", () => {
    const first = renderPage(
      [
        { target: canary, verdict },
        { target: session, verdict }
      ],
      ""
    )
    const better = judge(report(mutant("Killed")), [])
    const second = renderPage([{ target: session, verdict: better }], first)
    assert.include(second, "## canary: 50.00 %")
    assert.include(second, "## session: 100.00 %")
    assert.notInclude(second, "## session: 50.00 %")
    assert.strictEqual(renderPage([], second), second)
  })
})
