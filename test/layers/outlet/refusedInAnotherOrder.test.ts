/** A rejected version is reported once. A Kong control plane exports the same table with its keys in another order each time. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import type { Row } from "../../../src/model/Entity.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { encode, withNode } from "../../support/outletNode.ts"
import { table } from "../../support/tables.ts"

const bad = table("/a", { plugins: [{ name: "acl" }] })
const turned: Row = Object.fromEntries(Object.entries(bad).reverse())

const push = (config_table: Row, timestamp: number) =>
  encode({ type: "reconfigure", timestamp, config_hash: "6".repeat(32), config_table })

describe("what was refused", () => {
  it.effect("is known again when it is exported anew with its keys in another order", () =>
    withNode(({ receive }) =>
      Effect.gen(function* () {
        const { state } = yield* LiveConfig
        yield* receive(push(bad, 0))
        const first = (yield* SubscriptionRef.get(state)).lastRejection
        assert.isDefined(first)
        yield* receive(push(turned, 1_000))
        assert.strictEqual((yield* SubscriptionRef.get(state)).lastRejection, first)
      })
    )
  )
})
