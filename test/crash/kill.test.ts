/**
 * Every life of `scenarios.ts` as a real process over a real folder, killed before and after every call of the file system
 * and in the middle of every write. Defends `faults.md`, "#7619 crash between load and persist".
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cutShort, openWorkshop, prepare } from "./processes.ts"
import { scenarios } from "./scenarios.ts"

/** As many as a small machine can bear. */
const atOnce = 2

describe("a process that is killed at any call of the file system", () => {
  for (const scenario of scenarios) {
    it.live(
      scenario.name,
      () =>
        Effect.gen(function* () {
          const workshop = yield* openWorkshop
          const prepared = yield* prepare(workshop, scenario)
          const verdicts = yield* Effect.forEach(
            prepared.ends,
            (end) => Effect.map(Effect.scoped(cutShort(workshop, prepared, end)), (verdict) => ({ end, ...verdict })),
            { concurrency: atOnce }
          )
          for (const verdict of verdicts) {
            assert.isTrue(verdict.wasKilled, JSON.stringify(verdict))
            assert.include(verdict.allowed, verdict.serves, JSON.stringify(verdict))
          }
          console.log(`${scenario.name}: ${verdicts.length} ends`)
        }),
      900_000
    )
  }
})
