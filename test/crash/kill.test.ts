/**
 * Every life of `scenarios.ts` as a real process over a real folder, killed before and after every call of the file system
 * and in the middle of every write. Defends `faults.md`, "#7619 crash between load and persist".
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { cutShort, prepare, Workshop } from "./processes.ts"
import { scenarios } from "./scenarios.ts"

/** As many as a small machine can bear. */
const atOnce = 2

layer(Workshop.layer, { timeout: "1 minute", excludeTestServices: true })(
  "a process that is killed at any call of the file system",
  (it) => {
    for (const scenario of scenarios) {
      it.effect(
        scenario.name,
        () =>
          Effect.gen(function* () {
            const prepared = yield* prepare(scenario)
            const verdicts = yield* Effect.forEach(
              prepared.ends,
              (end) => Effect.map(Effect.scoped(cutShort(prepared, end)), (verdict) => ({ end, ...verdict })),
              { concurrency: atOnce }
            )
            for (const verdict of verdicts) assert.include(verdict.allowed, verdict.serves, JSON.stringify(verdict))
            const killed = verdicts.filter(({ wasKilled }) => wasKilled)
            console.log(`${scenario.name}: ${killed.length} of ${verdicts.length} ends`)
            // Two things at once need not make the same number of calls each time; nearly all of them are there, though.
            assert.isAbove(killed.length, verdicts.length * 0.9)
          }),
        900_000
      )
    }
  }
)
