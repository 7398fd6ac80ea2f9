/** A drill's own count against the control plane's: `faults.md`, "sum(billed) == sum(served)". */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ApiCalls } from "../../../src/programs/drill/ApiCalls.ts"
import { billedIsServed } from "../../../src/programs/drill/billing.ts"
import { drillGround } from "../../support/drillGround.ts"

const servedOf = (count: number): ApiCalls => {
  const apiCalls = new ApiCalls()
  for (let n = 0; n < count; n++) apiCalls.note({ "kong-route-id": "a route" })
  return apiCalls
}

/** What the control plane says is billed, answer after answer; the last one stays. */
const play = (served: number, billed: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    let asked = 0
    const { ground } = yield* drillGround({
      answer: (_, response) => {
        const api_calls = billed[Math.min(asked++, billed.length - 1)]
        response.end(JSON.stringify({ api_calls }))
      },
      parts: { apiCalls: servedOf(served) }
    })
    return yield* Effect.result(billedIsServed.play(ground))
  })

describe("API calls of a drill", () => {
  it("are answers that name a route: the gateway's 404 is none", () => {
    const apiCalls = servedOf(2)
    apiCalls.note({ "content-type": "application/json" })
    assert.strictEqual(apiCalls.count(), 2)
  })

  it.live("are billed, when what is billed comes to be what was served", () =>
    Effect.gen(function* () {
      const outcome = yield* play(7, [3, 7])
      assert.strictEqual(outcome._tag === "Success" && outcome.success, "7 API calls served, 7 billed")
    })
  )

  it.live("are not, when what is billed grows past what was served", () =>
    Effect.gen(function* () {
      const outcome = yield* play(7, [7, 8])
      assert.strictEqual(outcome._tag === "Failure" && outcome.failure.message, "8 API calls are billed, 7 were served")
    })
  )
})
