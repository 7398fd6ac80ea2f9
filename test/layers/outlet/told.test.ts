/** What people are told of an outage (`DESIGN.md`, "The surface": once a change, then a summary every 5 minutes). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Ref } from "effect"
import { settle } from "../../support/live.ts"
import { eventsInto, type LoggedEvent } from "../../support/logged.ts"
import type { Network } from "../../support/outletNetwork.ts"
import { passSeconds, withNode } from "../../support/outletNode.ts"

const refused = { before: ({ fate }: Network) => Ref.set(fate, "refused") }

const recording = <A, E, R>(run: (told: () => ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const events: Array<LoggedEvent> = []
  const told = () => events.filter(({ level }) => level !== "debug").map(({ message }) => message)
  return run(told).pipe(Effect.provide(Logger.layer([eventsInto(events)])))
}

const unreachable = "control plane can't be reached; serving goes on"
const lost = "control plane lost; serving goes on"
const away = "control plane still away; serving goes on"
const connected = "control plane connected"

describe("an outage", () => {
  it.effect("is told when it begins and every five minutes, not at each attempt", () =>
    recording((told) =>
      withNode(
        ({ network }) =>
          Effect.gen(function* () {
            yield* passSeconds(16 * 60)
            assert.deepEqual(told(), [unreachable, away, away, away])
            yield* Ref.set(network.fate, "answering")
            yield* passSeconds(60)
            assert.deepEqual(told().slice(4), [connected])
            yield* Effect.andThen(network.hangUp, settle)
            assert.deepEqual(told().slice(5), [lost])
          }),
        refused
      )
    )
  )

  it.effect("goes on through sessions that don't last, and its end is told", () =>
    recording((told) =>
      withNode(({ network }) =>
        Effect.gen(function* () {
          for (let second = 0; second < 16 * 60; second++) {
            if ((yield* Ref.get(network.liveSockets)) > 0) yield* Effect.andThen(network.hangUp, settle)
            yield* passSeconds(1)
          }
          assert.deepEqual(told(), [connected, lost, connected, away, away, away])
          yield* passSeconds(60)
          assert.deepEqual(told().slice(6), [connected])
          yield* Effect.andThen(network.hangUp, settle)
          assert.deepEqual(told().slice(7), [lost])
        })
      )
    )
  )
})
