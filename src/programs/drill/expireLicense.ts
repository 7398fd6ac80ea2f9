/** A licence's last day ends: `DESIGN.md` "The life of a node", 7; `resilience.md` §6. */
import { Clock, Effect } from "effect"
import { eventually, expectStatus, type StepFailed } from "../stage/Probe.ts"
import { startWithinMs } from "../stage/Stage.ts"
import {
  hasLogged,
  isReady,
  isUnready,
  loadConfig,
  restartWithinMs,
  seconds,
  serves,
  shows,
  startControlPlane,
  startDataPlane,
  startEcho,
  statusOf,
  traffic
} from "./actions.ts"
import type { Drill, DrillStep } from "./Drill.ts"
import { drillRoute } from "./drillConfig.ts"
import type { Ground } from "./Ground.ts"
import { answeredByEcho, eitherOf, refusedWith } from "./Load.ts"
import { dayOf, handOutLicense } from "./license.ts"
import { NotPlayable } from "./NotPlayable.ts"

const dayMs = 86_400_000
/** How long before midnight the node begins, by its clock: time to start and to see that all is well. */
const eveMs = 20_000
/** Of that, what has to be left when all is well. */
const leftAtLeastMs = 2_000
/** Around midnight the one answer is as right as the other. */
const turnMs = 500
const expiryWithinMs = 1_000
const renewalWithinMs = 1_000

const expired = refusedWith(503, "license expired")

/** The one midnight that the drill is about, by the node's clock: whatever is asked late must not mean the next one. */
const midnightOf = ({ startedMs }: Ground): number => (Math.floor(startedMs / dayMs) + 1) * dayMs

const leftMs = (ground: Ground): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => midnightOf(ground) - (nowMs + ground.faults().wallErrorMs))

const tooSlow = (ms: number) =>
  new NotPlayable({
    reason: `the machine is too slow: the end of the licence ${ms < 0 ? "came" : "was too near"} before all was seen to be well, ${seconds(eveMs - ms)} after the node was started`
  })

/** What goes wrong once the licence has ended is the end of the licence. */
const beforeMidnight = <A>(ground: Ground, self: Effect.Effect<A, StepFailed | NotPlayable>) =>
  Effect.catch(self, (error) =>
    Effect.flatMap(leftMs(ground), (ms) => Effect.fail(ms < leftAtLeastMs ? tooSlow(ms) : error))
  )

const refuses = ({ stage }: Ground): Effect.Effect<unknown, StepFailed> =>
  expectStatus({ url: stage.urls.proxy + drillRoute.path("any") }, 503)

/** Since when the node is connected: a session that stays is the same one. */
const connectedSince = (ground: Ground) =>
  Effect.map(statusOf(ground), (status) => JSON.stringify((status.control_plane as { since?: string }).since))

const keepsSession = (ground: Ground, since: string) =>
  shows(
    ground,
    "control_plane",
    (value) => {
      const { state, since: now } = value as { state?: string; since?: string }
      return state === "connected" && JSON.stringify(now) === since
    },
    `the same session as before, connected since ${since}`
  )

/** Ends with how much of the eve is left. */
const seeThatAllIsWell = Effect.fnUntraced(function* (ground: Ground, version: string) {
  yield* startDataPlane(ground)
  yield* eventually(startWithinMs, serves(ground, version))
  yield* shows(ground, "license.state", (state) => state === "expiring", "expiring")
  const proved = yield* ground.prove
  const ms = yield* leftMs(ground)
  if (ms < leftAtLeastMs) return yield* tooSlow(ms)
  return `${proved}; the licence ends in ${seconds(ms)}`
})

const start: DrillStep = {
  title: "start everything with a licence whose last day is about to end, and let traffic flow",
  play: (ground) =>
    Effect.gen(function* () {
      yield* Effect.all([startEcho(ground), startControlPlane(ground)], { concurrency: 2 })
      yield* handOutLicense(ground, dayOf(midnightOf(ground)))
      const version = yield* loadConfig(ground)
      // Only now: what the others took to start is no time of the node's.
      yield* ground.steer({ wallErrorMs: midnightOf(ground) - eveMs - (yield* Clock.currentTimeMillis) })
      const words = yield* beforeMidnight(ground, seeThatAllIsWell(ground, version))
      yield* ground.load.begin(answeredByEcho)
      return words
    })
}

const passAway: DrillStep = {
  title: "the day ends: every request is answered 503 license expired, and the session to the control plane stays",
  play: (ground) =>
    Effect.gen(function* () {
      const ms = yield* leftMs(ground)
      if (ms < turnMs) return yield* tooSlow(ms)
      const since = yield* connectedSince(ground)
      yield* Effect.sleep(Math.max(0, (yield* leftMs(ground)) - turnMs))
      yield* ground.load.begin(eitherOf(answeredByEcho, expired))
      yield* Effect.sleep(Math.max(0, yield* leftMs(ground)))
      const tookMs = yield* ground.recover("an expired licence stops the node", expiryWithinMs, refuses(ground))
      yield* traffic(ground, 2, expired)
      yield* isUnready(ground, "license expired")
      yield* keepsSession(ground, since)
      return `${seconds(tookMs)} after midnight by the node's clock; not ready, and connected as before`
    })
}

const renew: DrillStep = {
  title: "renew it at the control plane: the node serves again at once",
  play: (ground) =>
    Effect.gen(function* () {
      const since = yield* connectedSince(ground)
      yield* ground.load.begin(eitherOf(answeredByEcho, expired))
      yield* handOutLicense(ground, dayOf(midnightOf(ground) + 365 * dayMs))
      const tookMs = yield* ground.recover("a renewed licence lets it serve", renewalWithinMs, isReady(ground))
      yield* traffic(ground, 2)
      yield* keepsSession(ground, since)
      return `served again after ${seconds(tookMs)}, in the same session`
    })
}

const warnOnly: DrillStep = {
  title: "start the node with license_on_expiry=warn and an expired licence: it serves, and says so",
  play: (ground) =>
    Effect.gen(function* () {
      yield* ground.load.pause
      yield* ground.stage.dataPlane.stop
      yield* ground.stage.setDataPlane({ license_on_expiry: "warn" })
      yield* handOutLicense(ground, dayOf(midnightOf(ground) - dayMs))
      yield* startDataPlane(ground)
      yield* eventually(
        restartWithinMs,
        shows(ground, "license.state", (state) => state === "expired", "expired")
      )
      yield* isReady(ground)
      yield* traffic(ground, 2)
      yield* hasLogged(ground, "licence expired; serving goes on")
      return "ready and serving; the status and the log say that the licence is expired"
    })
}

export const expireLicense: Drill = {
  name: "expire-license",
  promise:
    "When its licence ends, a node stops serving within a second and says why, stays connected, and serves again within a second of a renewed one. With license_on_expiry=warn it serves on.",
  steered: {
    injected: [
      "The node's wall clock is ahead, so that its day ends during the drill. Timers and the monotonic clock are the machine's."
    ]
  },
  steps: [start, passAway, renew, warnOnly]
}
