/** A ping says what serves, whoever put it there (`hybrid-protocol-v1.md` §2; a control plane may send nothing to whom runs its newest). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref, SubscriptionRef } from "effect"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { settle } from "../../support/live.ts"
import { passSeconds, push, withNode } from "../../support/outletNode.ts"
import { table } from "../../support/tables.ts"

const putByHand = Effect.gen(function* () {
  const live = yield* LiveConfig
  const { acceptedCount: after } = yield* SubscriptionRef.get(live.state)
  yield* live.apply({ raw: table("/h"), source: "disk", hash: "8".repeat(32), receivedAtMs: 1, byHand: { after } })
  yield* settle
})

describe("the announcement", () => {
  it.effect("is of what a person put there, also when it is the same as the time before", () =>
    withNode(({ network, receive }) =>
      Effect.gen(function* () {
        const lose = Effect.andThen(Ref.set(network.fate, "refused"), Effect.andThen(network.hangUp, settle))
        const comeBack = Effect.andThen(Ref.set(network.fate, "answering"), passSeconds(11))
        yield* lose
        yield* putByHand
        yield* comeBack
        yield* receive(push("1"))
        yield* lose
        yield* putByHand
        yield* comeBack
        const { hash } = yield* SubscriptionRef.get((yield* LiveConfig).state)
        assert.strictEqual(hash[0], "8")
        assert.strictEqual((yield* Ref.get(network.pings)).at(-1)?.[1], hash)
      })
    )
  )
})
