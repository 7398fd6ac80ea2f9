/** The cache is damaged: `faults.md`, "torn/zero/truncated cache"; `life-of-a-node.md`, "The cache". */
import { Effect } from "effect"
import { eventually, StepFailed } from "../stage/Probe.ts"
import {
  begin,
  changeConfig,
  hasLogged,
  isKept,
  isUnready,
  reconnectWithinMs,
  restartWithinMs,
  seconds,
  serves,
  servesNot,
  shows,
  startDataPlane,
  traffic
} from "./actions.ts"
import { arePutAway, overwriteAll, tearCurrent } from "./cacheFiles.ts"
import type { Drill, DrillStep } from "./Drill.ts"
import { refusedWith } from "./Load.ts"
import { controlPlaneComes, killBoth, startAlone, startWithFile } from "./restarts.ts"

const [former, newest] = ["v2", "v3"] as const

const fill: DrillStep = {
  title: "start everything, let traffic flow, and change the configuration twice",
  play: (ground) =>
    Effect.gen(function* () {
      const proved = yield* begin(ground)
      for (const expected of [former, newest]) {
        const version = yield* changeConfig(ground)
        yield* eventually(reconnectWithinMs, Effect.andThen(serves(ground, version), isKept(ground)))
        if (version !== expected)
          return yield* new StepFailed({ reason: `expected version ${expected}, not ${version}` })
      }
      return `${proved}; version ${newest} is on disk, those before it beside it`
    })
}

const tearOne: DrillStep = {
  title: "kill -9 both, tear the cache file in half, and start the node alone: the configuration before it serves",
  play: (ground) =>
    Effect.gen(function* () {
      yield* killBoth(ground)
      const torn = yield* tearCurrent(ground)
      const tookMs = yield* startAlone(ground, former, "an older configuration serves in a torn one's place")
      yield* eventually(restartWithinMs, hasLogged(ground, "an older configuration became the current cache file"))
      yield* arePutAway(ground, [torn], "gzip")
      return `version ${former} serves ${seconds(tookMs)} after the start; the torn file is in quarantine, with its reason`
    })
}

const damageAll: DrillStep = {
  title: "kill -9 the node, overwrite every file that it has, and start it: it has nothing, and says precisely why",
  play: (ground) =>
    Effect.gen(function* () {
      yield* ground.load.pause
      yield* ground.stage.dataPlane.kill
      const damaged = yield* overwriteAll(ground)
      yield* startDataPlane(ground)
      yield* eventually(restartWithinMs, servesNot(ground, former))
      yield* isUnready(ground, "no configuration available")
      yield* shows(
        ground,
        "configuration.last_rejection",
        (rejection) => JSON.stringify(rejection).includes("gzip"),
        "a reason that names the step, gzip"
      )
      yield* traffic(ground, 2, refusedWith(404, "no Route matched"))
      yield* arePutAway(ground, damaged, "gzip")
      return `${damaged.length} damaged files refused and in quarantine, each with its reason; not ready, 404, and still running`
    })
}

const mend: DrillStep = {
  title: "start the control plane: the node has the newest configuration, and a good cache file again",
  play: (ground) =>
    Effect.gen(function* () {
      const tookMs = yield* controlPlaneComes(ground, newest)
      yield* eventually(reconnectWithinMs, isKept(ground))
      yield* killBoth(ground)
      yield* startAlone(ground, newest)
      return `after ${seconds(tookMs)}; restarted alone, it serves version ${newest} from its cache`
    })
}

export const corruptCache: Drill = {
  name: "corrupt-cache",
  promise:
    "A damaged cache never stops a node: the configuration before it serves, else the declarative file, else the node says precisely why it has nothing. What was refused is put away, not lost.",
  steps: [fill, tearOne, damageAll, startWithFile, mend]
}
