/** A few of the ends of `kill.test.ts`, so that each run of the tests kills some real processes. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { cutShort, prepare, Workshop } from "./processes.ts"
import { scenarios } from "./scenarios.ts"

const count = 6

layer(Workshop.layer, { timeout: "1 minute", excludeTestServices: true })(
  "a process that is killed in the middle of persisting",
  (it) => {
    it.effect("starts with the old configuration or the new one", () =>
      Effect.gen(function* () {
        const scenario = scenarios.find(({ name }) => name === "one more with full generations")
        assert(scenario !== undefined)
        const prepared = yield* prepare(scenario)
        const step = prepared.ends.length / count
        const ends = Array.from({ length: count }, (_, index) => prepared.ends[Math.floor((index + 0.5) * step)])
        const verdicts = yield* Effect.forEach(
          ends.filter((end) => end !== undefined),
          (end) => Effect.scoped(cutShort(prepared, end)),
          { concurrency: 2 }
        )
        assert.lengthOf(verdicts, count)
        for (const verdict of verdicts) {
          assert.isTrue(verdict.wasKilled, JSON.stringify(verdict))
          assert.include(verdict.allowed, verdict.serves, JSON.stringify(verdict))
        }
      })
    )
  }
)
