/** The control plane in memory, by what a production node makes of it (`hybrid-protocol-v1.md` §2, §6, §8). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Said } from "../../src/testing/MemoryControlPlane.ts"
import { runVirtual } from "../../src/testing/runVirtual.ts"
import { spoil, tableOf } from "../../src/testing/sampleTables.ts"
import { makeVirtualScene, servedBy } from "../support/virtualNode.ts"

const ofKind = <K extends Said["_tag"]>(said: ReadonlyArray<Said>, kind: K) =>
  said.filter((saying): saying is Extract<Said, { readonly _tag: K }> => saying._tag === kind)

type Scene = Effect.Success<ReturnType<typeof makeVirtualScene>>

const play = <A>(body: (scene: Scene) => Effect.Effect<A>, settings = {}): Promise<A> =>
  runVirtual(Effect.flatMap(makeVirtualScene(settings), body))

describe("a control plane in memory", () => {
  it("greets a node with what was pushed last, and keeps what the node says of itself", async () => {
    const outcome = await play(({ controlPlane, node, start }) =>
      Effect.gen(function* () {
        controlPlane.push(tableOf(1, 1))
        const { hash } = controlPlane.push(tableOf(2, 3))
        yield* start
        yield* Effect.sleep("95 seconds")
        const pings = ofKind(controlPlane.said(), "Ping")
        return {
          isServed: servedBy(node) === hash,
          infos: ofKind(controlPlane.said(), "BasicInfo").length,
          pings: pings.length,
          isAnnounced: pings.at(-1)?.hash === hash,
          sessions: controlPlane.sessionCount()
        }
      })
    )
    // One at once, one after the configuration, and one every 30 s from the last.
    assert.deepStrictEqual(outcome, { isServed: true, infos: 1, pings: 5, isAnnounced: true, sessions: 1 })
  })

  it("pushes while a node is connected, and the same again changes nothing", async () => {
    const outcome = await play(({ controlPlane, node, start, events }) =>
      Effect.gen(function* () {
        yield* start
        yield* Effect.sleep("1 second")
        const { hash } = controlPlane.push(tableOf(1, 1))
        yield* Effect.sleep("1 second")
        const first = servedBy(node) === hash
        controlPlane.pushAgain()
        yield* Effect.sleep("1 second")
        return [first, events.filter(({ _tag }) => _tag === "Serves").length]
      })
    )
    assert.deepStrictEqual(outcome, [true, 1])
  })

  it("is told once why a push was refused, by a node that reports", async () => {
    const outcome = await play(
      ({ controlPlane, node, start }) =>
        Effect.gen(function* () {
          const { hash } = controlPlane.push(tableOf(1, 1))
          yield* start
          yield* Effect.sleep("1 second")
          const { bytes } = controlPlane.encode(tableOf(2, 1))
          controlPlane.pushBytes(spoil(bytes, "unknownEntity"), { flaw: "unknownEntity" })
          yield* Effect.sleep("1 second")
          controlPlane.pushAgain()
          yield* Effect.sleep("1 second")
          return [servedBy(node) === hash, ofKind(controlPlane.said(), "ErrorReport").map(({ report }) => report.name)]
        }),
      { konnect_mode: "on" }
    )
    assert.deepStrictEqual(outcome, [true, ["declarative configuration parse failure"]])
  })

  it("ends a session by closing, by crashing, and by no longer answering: and the node is back each time", async () => {
    const outcome = await play(({ controlPlane, node, start, events, time }) =>
      Effect.gen(function* () {
        controlPlane.push(tableOf(1, 1))
        yield* start
        yield* Effect.sleep("1 second")
        const ends: Array<string> = []
        const note = (tookMs: number) => {
          const end = events.findLast((event) => event._tag === "Ended")
          if (end?._tag === "Ended")
            ends.push(`${end.by} ${end.reason} after ${Math.round((end.atMs - tookMs) / 1000)} s`)
        }
        for (const trouble of [
          () => controlPlane.close(),
          () => {
            controlPlane.crash()
            controlPlane.restart()
          },
          () => controlPlane.setAnswersPings(false)
        ]) {
          const atMs = time.nowMs()
          trouble()
          yield* Effect.sleep("46 seconds")
          controlPlane.setAnswersPings(true)
          note(atMs)
          yield* Effect.sleep("14 seconds")
        }
        return {
          ends,
          sessions: controlPlane.sessionCount(),
          isUp: controlPlane.isUp(),
          isRunning: node.process() !== undefined
        }
      })
    )
    assert.deepStrictEqual(outcome.ends.slice(0, 2), ["peer closed after 0 s", "peer broken after 0 s"])
    assert.match(outcome.ends[2] ?? "", /^node closed after \d+ s$/)
    assert.deepInclude(outcome, { sessions: 1, isUp: true, isRunning: true })
  })

  it("ends the session of a node that says nothing for 45 s", async () => {
    const outcome = await play(({ controlPlane, node, start, world }) =>
      Effect.gen(function* () {
        yield* start
        yield* Effect.sleep("1 second")
        world.network.link(node.name).change({ isBlockedToServer: true })
        yield* Effect.sleep("40 seconds")
        const before = controlPlane.sessionCount()
        yield* Effect.sleep("10 seconds")
        return [before, controlPlane.sessionCount()]
      })
    )
    assert.deepStrictEqual(outcome, [1, 0])
  })

  it("refuses, wedges and breaks off as it is told; a refusal's time is obeyed", async () => {
    const outcome = await play(({ controlPlane, start, events }) =>
      Effect.gen(function* () {
        controlPlane.receive({ _tag: "Refuses", status: 503, retryAfterMs: 60_000 })
        yield* start
        yield* Effect.sleep("55 seconds")
        const early = events.filter(({ _tag }) => _tag === "Dialled").length
        controlPlane.receive({ _tag: "Silent" })
        yield* Effect.sleep("30 seconds")
        controlPlane.receive({ _tag: "BreaksOff" })
        yield* Effect.sleep("30 seconds")
        controlPlane.receive({ _tag: "Accepts" })
        yield* Effect.sleep("20 seconds")
        const why = new Set(events.flatMap((event) => (event._tag === "DialFailed" ? [event.message] : [])))
        return { early, why: [...why].sort(), sessions: controlPlane.sessionCount() }
      })
    )
    assert.strictEqual(outcome.early, 1)
    assert.strictEqual(outcome.sessions, 1)
    assert.includeMembers(outcome.why, ["closed during the handshake", "expected a WebSocket handshake, got HTTP 503"])
  })

  it("forgets the oldest of what was said", async () => {
    const said = await runVirtual(
      Effect.gen(function* () {
        const { controlPlane, start } = yield* makeVirtualScene({}, 3)
        yield* start
        yield* Effect.sleep("10 minutes")
        return controlPlane.said()
      })
    )
    assert.deepStrictEqual(
      said.map(({ _tag }) => _tag),
      ["Ping", "Ping", "Ping"]
    )
    assert.isAbove(said[0]?.atMs ?? 0, 500_000)
  })
})
