/** `drills.md`: a machine that is too slow for a drill breaks no promise of the node's. */
import type { RequestListener } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Result } from "effect"
import type { DrillStep } from "../../../src/programs/drill/Drill.ts"
import { drillRoute } from "../../../src/programs/drill/drillConfig.ts"
import { expireLicense } from "../../../src/programs/drill/expireLicense.ts"
import type { Ground } from "../../../src/programs/drill/Ground.ts"
import { drillGround } from "../../support/drillGround.ts"

const dayMs = 86_400_000
const startedMs = Date.UTC(2026, 10, 23, 13)
const midnightMs = Date.UTC(2026, 10, 24)

/** A machine whose time passes only as the test says. */
const makeClock = (beginsAtMs: number) => {
  let nowMs = beginsAtMs
  const pass = (ms: number) => {
    nowMs += ms
  }
  const on = (clock: Clock.Clock): Clock.Clock => ({
    ...clock,
    currentTimeMillisUnsafe: () => nowMs,
    currentTimeMillis: Effect.sync(() => nowMs),
    sleep: (duration) => clock.sleep(duration)
  })
  return { pass, on }
}

/** Everything is well, as far as anybody asks. */
const answerWell =
  (asked: Array<string>): RequestListener =>
  (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.statusCode = request.url === "/config" ? 201 : 200
    response.setHeader("kong-route-name", drillRoute.name)
    response.end(JSON.stringify({ license: { state: "expiring" }, control_plane: { state: "connected", since: "x" } }))
  }

const [start, passAway] = expireLicense.steps

const play = (step: DrillStep | undefined, ground: Ground, on: (clock: Clock.Clock) => Clock.Clock) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    return yield* Effect.result(step?.play(ground) ?? Effect.succeed("no such step")).pipe(
      Effect.provideService(Clock.Clock, on(clock))
    )
  })

describe("the drill of an expiring licence", () => {
  it.live("sets the node's clock right before the node starts, whatever the others took to start", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const clock = makeClock(startedMs + 55_000)
      const { ground, done } = yield* drillGround({ answer: answerWell(asked), parts: { startedMs } })
      const outcome = yield* play(start, ground, clock.on)
      assert.strictEqual(outcome._tag, "Success", JSON.stringify(outcome))
      assert.deepEqual(done.slice(-3), ["steer wallErrorMs", "start data-plane", "traffic: the upstream's answer"])
      assert.isTrue(asked.includes("POST /config"))
      assert.strictEqual(startedMs + 55_000 + ground.faults().wallErrorMs, midnightMs - 20_000)
    })
  )

  it.live("could not be played when the licence ends before the node was seen to be well", () =>
    Effect.gen(function* () {
      const clock = makeClock(startedMs)
      const { ground, done } = yield* drillGround({
        answer: answerWell([]),
        onStart: () => clock.pass(25_000),
        parts: { startedMs }
      })
      const outcome = Result.getOrThrow(Result.flip(yield* play(start, ground, clock.on)))
      assert.strictEqual(outcome._tag, "NotPlayable")
      assert.match(outcome.reason, /the machine is too slow: the end of the licence came .* 25\.0 s after the node was/)
      assert.notInclude(done.join(), "traffic")
    })
  )

  it.live("means the one midnight, and waits for no other when that is over", () =>
    Effect.gen(function* () {
      const clock = makeClock(startedMs)
      const { ground, done } = yield* drillGround({ answer: answerWell([]), parts: { startedMs } })
      yield* ground.steer({ wallErrorMs: midnightMs - startedMs + 1 })
      const outcome = Result.getOrThrow(Result.flip(yield* play(passAway, ground, clock.on)))
      assert.strictEqual(outcome._tag, "NotPlayable")
      assert.deepEqual(done, ["steer wallErrorMs"])
    })
  )

  it.live("begins on the day on which the drill does, also when that has ended meanwhile", () =>
    Effect.gen(function* () {
      const lateMs = midnightMs - 1_000
      const clock = makeClock(lateMs + 5_000)
      const { ground } = yield* drillGround({ answer: answerWell([]), parts: { startedMs: lateMs } })
      assert.strictEqual((yield* play(start, ground, clock.on))._tag, "Success")
      assert.strictEqual(lateMs + 5_000 + ground.faults().wallErrorMs, midnightMs - 20_000)
      assert.isBelow(Math.abs(ground.faults().wallErrorMs), dayMs)
    })
  )
})
