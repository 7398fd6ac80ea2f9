/** The wall clock jumps: `faults.md`, "clock jump"; `life-of-a-node.md`, "The clock". */
import { Clock, Effect, Fiber } from "effect"
import { eventually, StepFailed } from "../stage/Probe.ts"
import { startWithinMs } from "../stage/Stage.ts"
import {
  changeConfig,
  changeWithinMs,
  isReady,
  loadConfig,
  serves,
  session,
  shows,
  startControlPlane,
  startDataPlane,
  startEcho,
  traffic
} from "./actions.ts"
import type { Drill, DrillStep } from "./Drill.ts"
import type { Ground } from "./Ground.ts"
import { dayOf, handOutLicense } from "./license.ts"

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const noonMs = 12 * hourMs
/** How long the node's process is stopped when its machine is "suspended". */
const frozenMs = 3_000
const noticeWithinMs = 1_000

/** The last noon that is at least an hour old: the node begins there, and catches up with the world in its sleep. */
export const startOfNode = (nowMs: number): number => Math.floor((nowMs - hourMs - noonMs) / dayMs) * dayMs + noonMs

/** How far the node's wall clock is off before anything happens. */
const startErrorMs = ({ startedMs }: Ground): number => startOfNode(startedMs) - startedMs

const keeps = Effect.fnUntraced(function* (ground: Ground, before: string) {
  const after = yield* session(ground)
  if (after !== before) return yield* new StepFailed({ reason: `the session was ${before} and is ${after}` })
  yield* isReady(ground)
  yield* shows(ground, "license.serving", (serving) => serving === true, "true: no false expiry")
})

const clockIs = (ground: Ground, state: "trusted" | "doubted") =>
  shows(ground, "clock.state", (value) => value === state, state)

const deviates = (ground: Ground, byMs: number) =>
  shows(
    ground,
    "clock.deviation_seconds",
    (value) => typeof value === "number" && Math.abs(value * 1000 - byMs) < 2_000,
    `${byMs / 1000} or so`
  )

const start: DrillStep = {
  title: "start everything with a licence that ends in 12 hours by the node's clock, and let traffic flow",
  play: (ground) =>
    Effect.gen(function* () {
      yield* Effect.all([startEcho(ground), startControlPlane(ground)], { concurrency: 2 })
      yield* handOutLicense(ground, dayOf((yield* Clock.currentTimeMillis) + startErrorMs(ground) + dayMs))
      const version = yield* loadConfig(ground)
      yield* ground.steer({ wallErrorMs: startErrorMs(ground) })
      yield* startDataPlane(ground)
      yield* eventually(startWithinMs, serves(ground, version))
      yield* clockIs(ground, "trusted")
      yield* shows(ground, "license.state", (state) => state === "expiring", "expiring")
      const proved = yield* ground.prove
      yield* traffic(ground, 1)
      return proved
    })
}

const jump = (name: string, byMs: number): DrillStep => ({
  title: `the wall clock jumps ${name}, and back: the node notices, believes neither, and nothing else happens`,
  play: (ground) =>
    Effect.gen(function* () {
      const before = yield* session(ground)
      yield* ground.steer({ wallErrorMs: startErrorMs(ground) + byMs })
      yield* eventually(noticeWithinMs, clockIs(ground, "doubted"))
      yield* deviates(ground, byMs)
      // No change meanwhile: the node lives in the past, and a control plane would say so.
      yield* traffic(ground, 4)
      yield* clockIs(ground, "doubted")
      yield* keeps(ground, before)
      yield* ground.steer({ wallErrorMs: startErrorMs(ground) })
      yield* eventually(noticeWithinMs, clockIs(ground, "trusted"))
      yield* deviates(ground, 0)
      const version = yield* changeConfig(ground)
      yield* eventually(changeWithinMs, serves(ground, version))
      yield* keeps(ground, before)
      return "the same session throughout, no licence expired, and a change taken afterwards"
    })
})

const suspend: DrillStep = {
  title: "the machine is suspended for hours: when it wakes, nothing bursts, and it does not believe the clock yet",
  play: (ground) =>
    Effect.gen(function* () {
      // Time will truly have passed: what expires then is renewed before.
      const asleepMs = -startErrorMs(ground)
      yield* handOutLicense(ground, dayOf((yield* Clock.currentTimeMillis) + 365 * dayMs))
      yield* eventually(
        changeWithinMs,
        shows(ground, "license.state", (state) => state === "valid", "valid")
      )
      const before = yield* session(ground)
      yield* ground.load.pause
      // What it is told while it sleeps, it hears when it wakes.
      const asleep = Effect.gen(function* () {
        const steering = yield* Effect.forkChild(ground.steer({ wallErrorMs: 0, stoodStillMs: frozenMs }), {
          startImmediately: true
        })
        yield* Effect.sleep(frozenMs)
        return steering
      })
      yield* Fiber.join(yield* ground.stage.dataPlane.whileFrozen(asleep))
      yield* eventually(noticeWithinMs, clockIs(ground, "doubted"))
      yield* traffic(ground, 4)
      yield* keeps(ground, before)
      return `${(asleepMs / hourMs).toFixed(1)} hours by the wall clock, and the same session (no traffic while it slept)`
    })
}

const confirmed: DrillStep = {
  title: "the control plane pushes a change: its timestamp confirms the clock, and the node believes it",
  play: (ground) =>
    Effect.gen(function* () {
      const before = yield* session(ground)
      const version = yield* changeConfig(ground)
      const believed = Effect.gen(function* () {
        yield* serves(ground, version)
        yield* clockIs(ground, "trusted")
        yield* shows(ground, "clock.last_correction.because", (because) => because === "control plane", "control plane")
      })
      const tookMs = yield* ground.recover("a confirmed jump is believed", changeWithinMs, believed)
      yield* deviates(ground, 0)
      yield* traffic(ground, 2)
      yield* keeps(ground, before)
      return `${(tookMs / 1000).toFixed(1)} s after the change`
    })
}

export const clockSkew: Drill = {
  name: "clock-skew",
  promise:
    "A wall clock that jumps a day, or a machine that slept for hours, neither ends a session nor expires a licence falsely; a jump that a control plane confirms is believed at once.",
  steered: {
    injected: [
      "The node's wall clock: it begins in the past and jumps as the steps say.",
      "The node's monotonic clock stands still while its process is stopped, as on a Linux machine that is suspended. Timers are the machine's.",
      "Not played: a jump that nobody confirms, which is believed after ten minutes."
    ]
  },
  steps: [start, jump("a day forward", dayMs), jump("a day backward", -dayMs), suspend, confirmed]
}
