import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { bugs, fateWith } from "../../../src/programs/simulate/bugs.ts"
import { barChart, histogram } from "../../../src/programs/simulate/chart.ts"
import { readFlags } from "../../../src/programs/simulate/flags.ts"
import { distributionOf } from "../../../src/programs/simulate/measurements.ts"
import { drawFate, type Fate } from "../../../src/programs/simulate/options.ts"
import {
  convergeSvg,
  judge,
  oneLine,
  reconnectsSvg,
  reportJson,
  reportMarkdown,
  summary
} from "../../../src/programs/simulate/report.ts"
import { simulate } from "../../../src/programs/simulate/simulation.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import { makeTranscript } from "../../../src/testing/Transcript.ts"

const faultsOf = async (flags: Record<string, string | boolean>): Promise<ReadonlyArray<string>> => {
  const exit = await Effect.runPromiseExit(readFlags({ flags }))
  if (Exit.isSuccess(exit)) return []
  return String(exit.cause.reasons[0]?._tag === "Fail" ? exit.cause.reasons[0].error.message : "").split("\n")
}

describe("the flags of simulate", () => {
  it("have defaults, and a seed that is drawn when none is given", async () => {
    const asked = await Effect.runPromise(readFlags({ flags: {} }))
    assert.deepInclude(asked.runs[0], { nodes: 100, minutes: 60, bug: undefined })
    assert.match(String(asked.runs[0]?.seed), /^\d+$/)
  })

  it("mean what they say", async () => {
    const asked = await Effect.runPromise(
      readFlags({ flags: { nodes: "7", hours: "1.5", seed: "10", swarm: "3", canary: true, quiet: true } })
    )
    assert.deepStrictEqual(
      asked.runs.map(({ seed, nodes, minutes }) => [seed, nodes, minutes]),
      [
        ["10", 7, 90],
        ["11", 7, 90],
        ["12", 7, 90]
      ]
    )
    for (const { bug, seed, fate } of asked.runs) {
      if (bug === undefined) throw new Error("no bug")
      const drawn = drawFate(seed)
      assert.deepStrictEqual(fate, fateWith(bugs[bug], drawn, { nodes: 7, minutes: 90 }))
      const { konnectMode } = bug === "counts-retries" ? { konnectMode: false } : drawn
      assert.deepStrictEqual({ ...fate, everyMinutes: {} }, { ...drawn, konnectMode, everyMinutes: {} })
    }
    assert.isTrue(asked.isQuiet)
  })

  it("leave the fate of a seed as it is without a bug, and bring about what a bug needs, never less often than drawn", async () => {
    const runs = async (more: Readonly<Record<string, string>>) => {
      const flags = { nodes: "20", minutes: "30", seed: "1", ...more }
      return (await Effect.runPromise(readFlags({ flags }))).runs.map(({ fate }) => fate)
    }
    const drawn = drawFate("1")
    assert.deepStrictEqual(await runs({}), [drawn])
    assert.deepStrictEqual(await runs({ bug: "lost-route" }), [drawn])
    assert.deepStrictEqual(await runs({ bug: "counts-retries" }), [{ ...drawn, konnectMode: false }])
    const [needy] = await runs({ bug: "older-after-restart" })
    assert.deepStrictEqual(needy, { ...drawn, everyMinutes: { ...drawn.everyMinutes, kill: 20 } })
    const often: Fate = { ...drawn, everyMinutes: { kill: 3 } }
    assert.deepStrictEqual(fateWith(bugs["older-after-restart"], often, { nodes: 20, minutes: 30 }), often)
  })

  it("are refused all at once, with what was expected", async () => {
    const faults = await faultsOf({
      nodes: "0",
      hours: "x",
      minutes: "5",
      bug: "moth",
      swarm: "1.5",
      seed: "s",
      transcript: "t"
    })
    assert.lengthOf(faults, 5)
    assert.include(faults[0] ?? "", "--nodes")
    assert.include(faults.join("\n"), "expected one of forgets-newest")
    assert.deepStrictEqual(await faultsOf({ swarm: "2", seed: "s" }), [
      '--seed: expected a whole number to count on from, with --swarm, got "s"'
    ])
  })
})

describe("distributions", () => {
  it("tell the middle, the tail and the largest", () => {
    assert.deepStrictEqual(distributionOf(Array.from({ length: 100 }, (_, index) => 100 - index)), {
      count: 100,
      p50: 50,
      p90: 90,
      p99: 99,
      max: 100
    })
    assert.deepStrictEqual(distributionOf([]), { count: 0, p50: 0, p90: 0, p99: 0, max: 0 })
  })
})

describe("drawings", () => {
  it("show the largest value of each bar, and escape what they are called", () => {
    const svg = barChart({ title: "a < b & c", values: [0, 3, 1, 0], until: 4, unit: "min" })
    assert.strictEqual(svg.match(/<rect x=/g)?.length, 2)
    assert.include(svg, "a &lt; b &amp; c")
    const many = barChart({ title: "", values: Array.from({ length: 5_000 }, () => 1), until: 5_000, unit: "s" })
    assert.isAtMost(many.match(/<rect x=/g)?.length ?? 0, 480)
    assert.include(histogram("", [], "s"), "<svg")
  })
})

describe("the report of a simulation", () => {
  it("says verdict, options, measurements and what is simulated, in every form", async () => {
    const options = { nodes: 3, minutes: 3, seed: "9", bug: undefined, fate: drawFate("9") }
    const outcome = await runVirtual(simulate(options, makeTranscript(), { onMinute: () => {} }), { seed: "9" })
    const judged = judge(outcome, { wallMs: 30_000, peakBytes: 200_000_000, limitBytes: 10_000_000_000 })
    const digest = outcome.transcript.digest()
    assert.match(judged.verdict, /^passed: every promise held/)
    const lines = summary(judged)
    assert.isTrue(lines.some((line) => line.includes(digest)))
    assert.isTrue(lines.some((line) => /node-hours a minute, 200 MB at most$/.test(line)))
    assert.isTrue(lines.some((line) => line.endsWith("10000 MB of memory, room for 100 such nodes at least")))
    assert.match(oneLine(judged), /^seed 9: passed: .* \(transcript [0-9a-f]{16}\)$/)
    const markdown = reportMarkdown(judged)
    for (const part of ["# Simulation: seed 9", "seed 9: 3 nodes", "## Measured", "reconnects.svg", "done once"])
      assert.include(markdown, part)
    const json = JSON.parse(reportJson(judged))
    assert.deepInclude(json, {
      passed: true,
      findings: [],
      transcript: { lines: outcome.transcript.count(), sha256: digest }
    })
    for (const svg of [reconnectsSvg(judged), convergeSvg(judged)]) assert.match(svg, /^<svg[\s\S]*<\/svg>\n$/)
  })
})
