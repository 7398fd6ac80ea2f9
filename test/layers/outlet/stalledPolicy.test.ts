/** There is no state in which a node gives up (`hybrid-protocol-v1.md` §6.1), whatever becomes of an embedder's policy. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Ref, Schedule } from "effect"
import { ReconnectPolicy, type ReconnectSchedule } from "../../../src/services/ReconnectPolicy.ts"
import { passSeconds, withNode } from "../../support/outletNode.ts"

const policy = (step: () => Effect.Effect<never>) => {
  const schedule = Schedule.fromStep(Effect.succeed(step)) as unknown as ReconnectSchedule
  return Layer.succeed(ReconnectPolicy, { schedule, retryAfterMaxMs: 300_000 })
}

const dialsInTwoMinutes = (step: () => Effect.Effect<never>) =>
  withNode(
    ({ network }) =>
      Effect.andThen(
        passSeconds(120),
        Effect.map(Ref.get(network.dials), (all) => all.length)
      ),
    {
      policy: policy(step),
      before: ({ fate }) => Ref.set(fate, "refused")
    }
  )

describe("a reconnect policy with a bug", () => {
  it.effect("that throws costs a delay, not the connection's life", () =>
    Effect.gen(function* () {
      const dials = yield* dialsInTwoMinutes(() => {
        throw new Error("a bug in the policy")
      })
      assert.isAbove(dials, 5)
    })
  )

  it.effect("that never answers costs a delay, not the connection's life", () =>
    Effect.gen(function* () {
      assert.isAbove(yield* dialsInTwoMinutes(() => Effect.never), 5)
    })
  )
})
