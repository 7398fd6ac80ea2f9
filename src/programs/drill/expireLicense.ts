/** A licence's last day ends: `DESIGN.md` "The life of a node", 7; `resilience.md` §6. */
import { Clock, Effect } from "effect"
import { eventually, expectStatus, type StepFailed } from "../stage/Probe.ts"
import { startWithinMs } from "../stage/Stage.ts"
import type { Step } from "../stage/Step.ts"
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
import type { Drill } from "./Drill.ts"
import { drillRoute } from "./drillConfig.ts"
import type { Ground } from "./Ground.ts"
import { answeredByEcho, eitherOf, refusedWith } from "./Load.ts"
import { dayOf, handOutLicense } from "./license.ts"

const dayMs = 86_400_000
/** How long before midnight the node begins, by its clock: time to start and to see that all is well. */
const eveMs = 20_000
const expiryWithinMs = 1_000
const renewalWithinMs = 1_000

const expired = refusedWith(503, "license expired")

const nodeNowMs = ({ wallErrorMs }: Ground) => Effect.map(Clock.currentTimeMillis, (nowMs) => nowMs + wallErrorMs)

const nextMidnight = (ms: number): number => (Math.floor(ms / dayMs) + 1) * dayMs

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

const start: Step<Ground> = {
  title: "start everything with a licence whose last day is about to end, and let traffic flow",
  play: (ground) =>
    Effect.gen(function* () {
      yield* Effect.all([startEcho(ground), startControlPlane(ground)], { concurrency: 2 })
      const midnightMs = nextMidnight(yield* nodeNowMs(ground))
      yield* handOutLicense(ground, dayOf(midnightMs))
      const version = yield* loadConfig(ground)
      yield* startDataPlane(ground)
      yield* eventually(startWithinMs, serves(ground, version))
      yield* shows(ground, "license.state", (state) => state === "expiring", "expiring")
      const proved = yield* ground.prove
      yield* ground.load.begin(answeredByEcho)
      const leftMs = midnightMs - (yield* nodeNowMs(ground))
      return `${proved}; the licence ends in ${seconds(leftMs)}`
    })
}

const passAway: Step<Ground> = {
  title: "the day ends: every request is answered 503 license expired, and the session to the control plane stays",
  play: (ground) =>
    Effect.gen(function* () {
      const since = yield* connectedSince(ground)
      const nowMs = yield* nodeNowMs(ground)
      const leftMs = nextMidnight(nowMs) - nowMs
      yield* Effect.sleep(Math.max(0, leftMs - 500))
      yield* ground.load.begin(eitherOf(answeredByEcho, expired))
      yield* Effect.sleep(500)
      const tookMs = yield* ground.recover("an expired licence stops the node", expiryWithinMs, refuses(ground))
      yield* traffic(ground, 2, expired)
      yield* isUnready(ground, "license expired")
      yield* keepsSession(ground, since)
      return `${seconds(tookMs)} after midnight by the node's clock; not ready, and connected as before`
    })
}

const renew: Step<Ground> = {
  title: "renew it at the control plane: the node serves again at once",
  play: (ground) =>
    Effect.gen(function* () {
      const since = yield* connectedSince(ground)
      yield* ground.load.begin(eitherOf(answeredByEcho, expired))
      yield* handOutLicense(ground, dayOf((yield* nodeNowMs(ground)) + 365 * dayMs))
      const tookMs = yield* ground.recover("a renewed licence lets it serve", renewalWithinMs, isReady(ground))
      yield* traffic(ground, 2)
      yield* keepsSession(ground, since)
      return `served again after ${seconds(tookMs)}, in the same session`
    })
}

const warnOnly: Step<Ground> = {
  title: "start the node with license_on_expiry=warn and an expired licence: it serves, and says so",
  play: (ground) =>
    Effect.gen(function* () {
      yield* ground.load.pause
      yield* ground.stage.dataPlane.stop
      yield* ground.stage.setDataPlane({ license_on_expiry: "warn" })
      yield* handOutLicense(ground, dayOf((yield* nodeNowMs(ground)) - dayMs))
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
    ],
    wallErrorMs: (nowMs) => nextMidnight(nowMs) - eveMs - nowMs
  },
  steps: [start, passAway, renew, warnOnly]
}
