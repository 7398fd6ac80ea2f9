/** Memory is a failure that passes (`DESIGN.md`, "The life of a node", 5), at whichever step it runs out. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import { decodeTable } from "../../../src/model/ConfigTable.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { decodeReconfigure } from "../../../src/model/Wire.ts"
import { ConfigCodec } from "../../../src/services/ConfigCodec.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { passSeconds, push, withNode } from "../../support/outletNode.ts"
import { testCatalogue } from "../../support/plugins.ts"

describe("a configuration for which there was no memory while it was validated", () => {
  it.effect("is not refused for good: it is tried again, and serves", () => {
    let failures = 1
    const codec = {
      decodeReconfigure,
      describeTable,
      decodeTable: (input: unknown) => {
        if (failures-- > 0) throw new RangeError("Array buffer allocation failed")
        return decodeTable(input, testCatalogue)
      }
    }
    return withNode(({ receive }) =>
      Effect.gen(function* () {
        const { state } = yield* LiveConfig
        yield* receive(push("1"))
        yield* passSeconds(5)
        const { hash, lastRejection } = yield* SubscriptionRef.get(state)
        assert.strictEqual(hash[0], "1")
        assert.isUndefined(lastRejection)
      })
    ).pipe(Effect.provideService(ConfigCodec, codec))
  })
})
