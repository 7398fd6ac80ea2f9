/** A small fleet under many faults: it keeps its promises, repeats itself byte for byte, and a planted bug is caught. */
import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type BugName, bugNames, bugs, fateWith } from "../../../src/programs/simulate/bugs.ts"
import { readFlags } from "../../../src/programs/simulate/flags.ts"
import { drawFate, type Fate, type SimulationOptions } from "../../../src/programs/simulate/options.ts"
import { judge } from "../../../src/programs/simulate/report.ts"
import { simulate } from "../../../src/programs/simulate/simulation.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import { makeTranscript } from "../../../src/testing/Transcript.ts"

const noEffort = { wallMs: 1_000, peakBytes: 1, limitBytes: 1 }

const run = async (options: SimulationOptions) => {
  const texts: Array<string> = []
  const transcript = makeTranscript({ sink: (text) => texts.push(text) })
  const outcome = await runVirtual(simulate(options, transcript, { onMinute: () => {} }), { seed: options.seed })
  transcript.flush()
  return { outcome, text: texts.join("") }
}

const small = (seed: string, more: Partial<SimulationOptions> = {}): SimulationOptions => ({
  nodes: 20,
  minutes: 30,
  seed,
  bug: undefined,
  fate: drawFate(seed),
  ...more
})

/** So much trouble that a few nodes need no hour to meet it. */
const roughFate: Fate = {
  delayMs: 5,
  jitterMs: 5,
  lossRate: 0.01,
  everyMinutes: { halfOpen: 15, powerCut: 15, kill: 30, clockJump: 10, reset: 30, partition: 20 },
  controlPlaneEveryMinutes: { crash: 10 },
  flawedChanges: 0,
  konnectMode: true,
  compressionMs: 5
}

describe("a simulated fleet", () => {
  it("keeps every promise, converges, and does all again byte for byte for the same seed", async () => {
    const one = await run(small("1"))
    assert.deepStrictEqual(one.outcome.findings, [])
    assert.strictEqual(one.outcome.healedConverge.count, 20)
    assert.strictEqual(one.outcome.restartConverge.count, 20)
    assert.isAbove(Object.keys(one.outcome.befallen).length, 5)
    const again = await run(small("1"))
    assert.strictEqual(again.text, one.text)
    assert.strictEqual(again.outcome.transcript.digest(), one.outcome.transcript.digest())
    const other = await run(small("2", { nodes: 3, minutes: 5 }))
    assert.notStrictEqual(other.text, one.text)
  }, 60_000)

  it("does the same in another process", async () => {
    const { outcome } = await run(small("7", { nodes: 5, minutes: 10 }))
    const digest = outcome.transcript.digest()
    const main = new URL("../../../src/main.ts", import.meta.url).pathname
    const flags = ["--nodes", "5", "--minutes", "10", "--seed", "7"]
    const { stdout, stderr, status } = spawnSync(process.execPath, [main, "simulate", ...flags], { encoding: "utf8" })
    assert.strictEqual(status, 0, stderr)
    assert.include(stdout, digest)
    assert.isTrue(stdout.startsWith("seed 7: 5 nodes for 10 virtual minutes\n"))
  }, 60_000)

  for (const bug of bugNames) {
    it(`catches the canary ${bug}`, async () => {
      const fleet = { nodes: 8, minutes: 40 }
      const fate = bug === "counts-retries" ? fateWith(bugs[bug], roughFate, fleet) : roughFate
      const { outcome } = await run(small("3", { ...fleet, fate, bug }))
      const judged = judge(outcome, noEffort)
      assert.isTrue(judged.passed, judged.verdict)
      const named: ReadonlyArray<string> = bugs[bug satisfies BugName].caughtBy
      assert.isTrue(outcome.findings.some(({ checker }) => named.includes(checker)))
    }, 60_000)
  }

  // docs/simulator.md: "it must be caught", also where the seed's own faults would leave it in the dark.
  it.each([
    ["older-after-restart", "1"],
    ["older-after-restart", "3"],
    ["timers-by-the-wall", "12"]
  ])(
    "catches the canary %s with the flags of the docs and seed %s",
    async (bug, seed) => {
      const { runs } = await Effect.runPromise(readFlags({ flags: { nodes: "20", minutes: "30", seed, bug } }))
      for (const options of runs) {
        const judged = judge((await run(options)).outcome, noEffort)
        assert.isTrue(judged.passed, judged.verdict)
      }
    },
    60_000
  )

  it("fails the run when a planted bug is not caught, and when a promise was broken", async () => {
    const { outcome } = await run(small("3", { nodes: 2, minutes: 1, fate: { ...roughFate, everyMinutes: {} } }))
    assert.isTrue(judge(outcome, noEffort).passed)
    assert.isFalse(judge({ ...outcome, options: { ...outcome.options, bug: "two-sockets" } }, noEffort).passed)
    const finding = { checker: "silence", node: "node-0", atMs: 5_000, sentence: "fell asleep" }
    const broken = judge({ ...outcome, findings: [finding] }, noEffort)
    assert.isFalse(broken.passed)
    assert.match(broken.verdict, /^FAILED: 1 promise/)
  }, 60_000)
})
