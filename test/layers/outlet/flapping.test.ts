/**
 * A control plane that takes every introduction and closes (an incompatible version: `resilience.md` §9) lasts like any
 * other outage: one change, then a summary every five minutes (`DESIGN.md`, "The surface").
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Ref } from "effect"
import { settle } from "../../support/live.ts"
import { passSeconds, withNode } from "../../support/outletNode.ts"

const minutes = 30

describe("a control plane that closes each session at once", () => {
  it.effect("does not fill the log", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel !== "Debug" && logLevel !== "Trace") lines.push(String(message))
    })
    return withNode(({ network }) =>
      Effect.gen(function* () {
        for (let second = 0; second < minutes * 60; second++) {
          if ((yield* Ref.get(network.liveSockets)) > 0) yield* Effect.andThen(network.hangUp, settle)
          yield* passSeconds(1)
        }
        assert.isAbove((yield* Ref.get(network.dials)).length, 150)
        assert.isBelow(lines.length, minutes)
      })
    ).pipe(Effect.provide(Logger.layer([logger])))
  })
})
