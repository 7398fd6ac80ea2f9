import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { DrillStep } from "../../../src/programs/drill/Drill.ts"
import type { Ground } from "../../../src/programs/drill/Ground.ts"
import { NotPlayable } from "../../../src/programs/drill/NotPlayable.ts"
import { playSteps } from "../../../src/programs/drill/playSteps.ts"
import {
  type DrillReport,
  reportJson,
  reportMarkdown,
  type StepReport,
  verdictOf
} from "../../../src/programs/drill/Report.ts"
import { StepFailed } from "../../../src/programs/stage/Probe.ts"

const report: DrillReport = {
  drill: "cp-loss",
  promise: "Traffic goes on.",
  version: "1.2.3",
  startedAt: "2026-11-23T00:00:00.000Z",
  tookMs: 21_500,
  passed: false,
  verdict: "failed",
  injected: ["the clock"],
  configuration: {
    name: "kong.yml",
    routes: 2,
    requests: 1,
    changes: ["1 service leads to the echo"],
    skipped: [{ what: "route g", reason: "its protocols are grpc" }]
  },
  steps: [
    { title: "begin", outcome: "passed", words: "fine", tookMs: 900, sent: 100, failed: 0 },
    { title: "kill", outcome: "failed", words: "1 request\nfailed | badly", tookMs: 12_345, sent: 100, failed: 1 },
    { title: "return", outcome: "not played", words: "", tookMs: 0, sent: 0, failed: 0 }
  ],
  recoveries: [{ what: "reconnected", tookMs: 6_543, limitMs: 11_000 }],
  traffic: {
    requestsPerSecond: 200,
    sent: 200,
    failed: 1,
    failures: [{ reason: "503 busy", count: 1, firstAtMs: 1_234, lastAtMs: 1_234 }]
  }
}

describe("the report of a drill", () => {
  it("tells in Markdown what was promised, what broke it, what was measured and what was not as in production", () => {
    const text = reportMarkdown(report)
    for (const line of [
      "# Drill: cp-loss",
      "Traffic goes on.",
      "**Failed.** kill: 1 request\nfailed | badly",
      "| ✗ | kill | 1 request failed \\| badly | 12.3 s | 100 | 1 |",
      "| – | return | not played |  | 0 | 0 |",
      "| reconnected | 6.54 s | 11.0 s |",
      "200 requests, 1 failed; 200 a second while traffic flowed.",
      "| 503 busy | 1 | after 1.23 s | after 1.23 s |",
      "- Made safe: 1 service leads to the echo",
      "- Not asked: route g: its protocols are grpc",
      "- the clock"
    ])
      assert.include(text, line)
  })

  it("says that nothing was injected where nothing was, and that all was kept where it was", () => {
    const text = reportMarkdown({ ...report, passed: true, verdict: "passed", injected: [], recoveries: [] })
    assert.include(text, "**Passed.** Every promise was kept.")
    assert.include(text, "Nothing: the processes, sockets and files were those of any node.")
    assert.notInclude(text, "## Recovery")
  })

  it("says of a drill that could not be played what was in the way, and blames nobody", () => {
    const steps = [
      { title: "begin", outcome: "could not be played", words: "too slow", tookMs: 1, sent: 0, failed: 0 }
    ] as const
    const text = reportMarkdown({ ...report, verdict: "could not be played", steps })
    assert.include(text, "**Could not be played.** begin: too slow")
    assert.include(text, "| ? | begin | too slow |")
  })

  it("has one of three verdicts: a failed request or step is a broken promise, whatever else was in the way", () => {
    const [passed, failed, notPlayed] = report.steps
    const steps = (...all: ReadonlyArray<StepReport | undefined>) => all.filter((one) => one !== undefined)
    const halted = passed && ({ ...passed, outcome: "could not be played" } as const)
    assert.strictEqual(verdictOf(steps(passed, passed), 0), "passed")
    assert.strictEqual(verdictOf(steps(passed, passed), 1), "failed")
    assert.strictEqual(verdictOf(steps(passed, failed, notPlayed), 0), "failed")
    assert.strictEqual(verdictOf(steps(passed, halted, notPlayed), 0), "could not be played")
    assert.strictEqual(verdictOf(steps(passed, halted, notPlayed), 1), "failed")
  })

  it("is the same in JSON", () => assert.deepEqual(JSON.parse(reportJson(report)), report))
})

describe("the steps of a drill", () => {
  /** As much of a ground as the steps here touch. */
  const makeGround = () => {
    const counts = { sent: 0, failed: 0 }
    const seen = { isPaused: false }
    const load = {
      begin: () => Effect.void,
      pause: Effect.sync(() => {
        seen.isPaused = true
      }),
      counts: () => ({ ...counts }),
      failures: () => [{ reason: "ECONNRESET", count: counts.failed, firstAtMs: 1_000, lastAtMs: 2_000 }]
    }
    return { ground: { load } as unknown as Ground, counts, seen }
  }
  const step = (title: string, play: DrillStep["play"]): DrillStep => ({ title, play })
  const play = (steps: ReadonlyArray<DrillStep>, ground: Ground) => {
    const lines: Array<string> = []
    const say = (line: string) => Effect.sync(() => void lines.push(line))
    return Effect.map(playSteps(steps, ground, say), (played) => ({ played, lines }))
  }

  it.effect("are played in order, each a line, until one breaks a promise", () =>
    Effect.gen(function* () {
      const { ground, seen } = makeGround()
      const { played, lines } = yield* play(
        [
          step("one", () => Effect.succeed("seen")),
          step("two", () => Effect.fail(new StepFailed({ reason: "never answered" }))),
          step("three", () => Effect.succeed("never"))
        ],
        ground
      )
      assert.deepEqual(
        played.map(({ outcome, words }) => [outcome, words]),
        [
          ["passed", "seen"],
          ["failed", "never answered"],
          ["not played", ""]
        ]
      )
      assert.deepEqual(lines, ["ok      one\n        seen", "failed  two\n        never answered"])
      assert.isTrue(seen.isPaused)
    })
  )

  it.effect("end at one that can't be played, which is no failure", () =>
    Effect.gen(function* () {
      const { ground } = makeGround()
      const tooSlow = step("one", () => Effect.fail(new NotPlayable({ reason: "the machine is too slow" })))
      const { played, lines } = yield* play([tooSlow, step("two", () => Effect.succeed("never"))], ground)
      assert.deepEqual(
        played.map(({ outcome }) => outcome),
        ["could not be played", "not played"]
      )
      assert.deepEqual(lines, ["?       one\n        the machine is too slow"])
    })
  )

  it.effect("fail for a single request that failed meanwhile, whatever else they saw", () =>
    Effect.gen(function* () {
      const { ground, counts } = makeGround()
      const lossy = step("lossy", () =>
        Effect.sync(() => {
          counts.sent += 500
          counts.failed += 1
          return "all is well"
        })
      )
      const { played } = yield* play([lossy], ground)
      assert.deepInclude(played[0], { outcome: "failed", sent: 500, failed: 1 })
      assert.match(played[0]?.words ?? "", /1 requests failed, the last after 2\.00 s: ECONNRESET/)
    })
  )
})
