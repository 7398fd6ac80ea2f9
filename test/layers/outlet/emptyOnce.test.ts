/**
 * A configuration of nothing but workspaces is applied again on each push, for its hash is stored as zeros
 * (`hybrid-protocol-v1.md` §6.9). Written again each time, it takes the place of every older generation.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { encode, withNode } from "../../support/outletNode.ts"

const push = (timestamp: number) =>
  encode({ type: "reconfigure", timestamp, config_hash: "7".repeat(32), config_table: { _format_version: "3.0" } })

describe("a configuration that counts as empty", () => {
  it.effect("is written once, however often it is pushed", () =>
    withNode(({ cache, receive }) =>
      Effect.gen(function* () {
        for (const timestamp of [1, 2, 3]) yield* receive(push(timestamp))
        assert.lengthOf(yield* Ref.get(cache.written), 1)
      })
    )
  )
})
