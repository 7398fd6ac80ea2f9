/** The property suite for embedders, on the production node: it passes as it is, and each planted bug is found. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { type BugName, bugNames, bugs } from "../../src/programs/simulate/bugs.ts"
import { checkNode, checkNodeEffect, NodeChecked, playSchedule } from "../../src/testing/checkNode.ts"
import type { World } from "../../src/testing/World.ts"
import type { Schedule } from "../../src/testing/WorldAction.ts"
import { propertyRuns } from "../support/propertyRuns.ts"
import { virtualDataPlane } from "../support/virtualNode.ts"

const { runs, seed } = propertyRuns.arbitrary

const sound = (world: World) => virtualDataPlane(world, { settings: { konnect_mode: "on" } })
const withBug = (name: BugName) => (world: World) => virtualDataPlane(world, { parts: bugs[name].parts })

const failureOf = async (check: Promise<void>): Promise<NodeChecked> => {
  try {
    await check
  } catch (error) {
    if (error instanceof NodeChecked) return error
    throw error
  }
  throw new Error("expected a broken promise")
}

describe("checkNode", () => {
  it(
    "finds nothing wrong with the production data plane",
    () => checkNode(sound, { cases: runs, seed }),
    propertyRuns.timeout
  )

  // What a control plane bills is no matter of one node.
  for (const name of bugNames.filter((each) => each !== "counts-retries")) {
    it(`finds ${name} with as many schedules as by default: ${bugs[name].summary}`, async () => {
      const failure = await failureOf(checkNode(withBug(name), { seed: 1 }))
      const named: ReadonlyArray<string> = bugs[name].caughtBy
      assert.isTrue(
        named.some((checker) => failure.sentences.some((sentence) => sentence.endsWith(`(${checker})`))),
        failure.message
      )
      assert.isAtMost(failure.schedule.length, 6, failure.message)
    }, 120_000)
  }

  it("tells what broke, after what, and how to play it again", async () => {
    const failure = await failureOf(checkNode(withBug("hurried-reconnect"), { seed: 1 }))
    assert.match(failure.message, /^a node broke \d+ of its promises:\n {2}.* s: it dialled 0\.\d+ s after/)
    assert.include(failure.message, "after this schedule:")
    assert.include(failure.message, "what happened last:")
    const again = await failureOf(checkNode(withBug("hurried-reconnect"), { replay: failure.replay, seed: 1 }))
    assert.deepStrictEqual(again.schedule, failure.schedule)
  })

  it("takes a node that does not start for a defect, with its reason", async () => {
    const exit = await Effect.runPromiseExit(
      checkNodeEffect(() => Layer.effectContext(Effect.fail(new Error("no such port"))), { cases: 1 })
    )
    assert.isTrue(Exit.isFailure(exit))
    assert.include(String(exit), "no such port")
  })

  it.effect("says that virtual time stood still when a part waits for something real", () =>
    Effect.gen(function* () {
      const real = Layer.effectDiscard(Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5))))
      const { findings } = yield* playSchedule((world) => Layer.merge(sound(world), real), [])
      assert.lengthOf(findings, 1)
      assert.match(findings[0]?.sentence ?? "", /something real/)
    })
  )
})

/** What the generated schedules only come by now and then. */
const stories: Readonly<Record<string, Schedule>> = {
  "a day without a control plane, and a jump of the clock in it": [
    { afterMs: 1_000, action: { do: "crash", how: "silent" } },
    ...Array.from({ length: 24 * 60 }, () => ({ afterMs: 60_000, action: { do: "jump", minutes: 0 } as const })),
    { afterMs: 0, action: { do: "jump", minutes: 1_440 } },
    { afterMs: 60_000, action: { do: "jump", minutes: -1_440 } }
  ],
  "a power cut while the disk is slow and a configuration is being written": [
    { afterMs: 1_000, action: { do: "push", number: 1, routes: 2 } },
    { afterMs: 1_000, action: { do: "disk", trouble: "slow" } },
    { afterMs: 100, action: { do: "push", number: 2, routes: 2 } },
    { afterMs: 1_500, action: { do: "kill", how: "powerCut" } },
    { afterMs: 1_000, action: { do: "start" } }
  ],
  "a refusal that names a time, met after a restart": [
    { afterMs: 1_000, action: { do: "receive", reception: "refuseFor30s" } },
    { afterMs: 0, action: { do: "reset" } },
    { afterMs: 60_000, action: { do: "pushFlawed", flaw: "unknownEntity", number: 3 } }
  ]
}

describe("a production node survives", () => {
  for (const [name, schedule] of Object.entries(stories)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const { findings, transcript } = yield* playSchedule(sound, schedule)
        assert.deepStrictEqual(findings, [], transcript.join("\n"))
      })
    )
  }
})
