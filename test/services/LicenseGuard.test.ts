/** A node that knows of no licence is not restricted (`DESIGN.md`, "The life of a node", 7). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, MutableRef, SubscriptionRef } from "effect"
import { LicenseGuard } from "../../src/services/LicenseGuard.ts"

describe("the guard of a node without licences", () => {
  it.effect("refuses nothing, and says of each fact that there is none", () =>
    Effect.gen(function* () {
      const { refusal, state } = yield* LicenseGuard
      assert.isUndefined(MutableRef.get(refusal))
      assert.deepStrictEqual(yield* SubscriptionRef.get(state), {
        state: "none",
        stops: false,
        expiresAtMs: undefined,
        daysLeft: undefined,
        graceUntilMs: undefined,
        signature: undefined,
        nextChangeAtMs: undefined,
        source: undefined,
        refused: []
      })
    }).pipe(Effect.provide(LicenseGuard.layerUnlicensed))
  )
})
