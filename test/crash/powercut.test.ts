/**
 * Every life of `scenarios.ts`, ended at every call of the file system by a kill and by power cuts, on virtual disks.
 * Defends `faults.md`, "#7619 crash between load and persist", and `resilience.md` §2. `HOLDFAST_POWER_CUTS` says how many
 * different leftovers each power cut gets.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { besideOf, type Disk } from "../../src/services/Disk.ts"
import type { Crash } from "../../src/testing/VirtualDisk.ts"
import { type Scenario, scenarios } from "./scenarios.ts"
import { cutShort, isWrong, prepare, type Sabotage, type Verdict } from "./virtual.ts"

const powerCuts = Number(process.env.HOLDFAST_POWER_CUTS ?? 2)

const crashes: ReadonlyArray<Crash> = [
  { kind: "process", seed: 0 },
  ...Array.from({ length: powerCuts }, (_, seed): Crash => ({ kind: "power", seed }))
]

const verdictsOf = Effect.fnUntraced(function* (scenario: Scenario, sabotage?: Sabotage) {
  const prepared = yield* prepare(scenario, sabotage)
  assert.isAbove(prepared.ends.length, 0)
  const all: Array<Verdict> = []
  for (const end of prepared.ends) {
    all.push(...(yield* cutShort(prepared, end, crashes)))
  }
  return all
})

describe("a life that ends at any call of the file system", () => {
  for (const scenario of scenarios) {
    it.live(
      scenario.name,
      () =>
        Effect.gen(function* () {
          for (const verdict of yield* verdictsOf(scenario)) assert.isFalse(isWrong(verdict), JSON.stringify(verdict))
        }),
      120_000
    )
  }
})

/** Nothing is flushed: what was announced as persisted may be gone. */
const withoutFlushes: Sabotage = (disk) => ({
  ...disk,
  create: (path, mode) => Effect.map(disk.create(path, mode), (file) => ({ ...file, sync: Effect.void })),
  syncFolder: () => Effect.void
})

/** Nothing is written beside: the current file is torn while it is written. */
const inPlace: Sabotage = (disk) => {
  const meant = (path: string) => (path === besideOf(path.replace(/\.new$/, "")) ? path.replace(/\.new$/, "") : path)
  return {
    ...disk,
    create: (path, mode) => disk.create(meant(path), mode),
    rename: (from, to) => (meant(from) === to ? Effect.void : disk.rename(from, to))
  } satisfies Disk["Service"]
}

describe("these tests", () => {
  const scenario = scenarios.find(({ name }) => name === "the second configuration")
  for (const [wrong, sabotage] of Object.entries({ withoutFlushes, inPlace })) {
    it.live(`notice a node that persists wrongly: ${wrong}`, () =>
      Effect.gen(function* () {
        assert(scenario !== undefined)
        const verdicts = yield* verdictsOf(scenario, sabotage)
        assert.isAbove(verdicts.filter(isWrong).length, 0)
        // As on a disk that lies about its flushes: what serves may be old, and is a whole configuration all the same.
        for (const { serves } of verdicts) for (const number of serves) assert.isNumber(number)
      })
    )
  }
})
