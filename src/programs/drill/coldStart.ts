/** A node that has never seen a configuration: `resilience.md` §3 and §9, "CP down, new DP". */
import { Effect } from "effect"
import { eventually } from "../stage/Probe.ts"
import {
  isKept,
  isUnready,
  loadConfig,
  reconnectWithinMs,
  restartWithinMs,
  seconds,
  serves,
  servesNot,
  showsSource,
  startControlPlane,
  startDataPlane,
  startEcho,
  traffic
} from "./actions.ts"
import { emptyDisk } from "./cacheFiles.ts"
import type { Drill, DrillStep } from "./Drill.ts"
import type { Ground } from "./Ground.ts"
import { refusedWith } from "./Load.ts"
import { controlPlaneComes, fileVersion, giveFile, killBoth, startAlone, startWithFile } from "./restarts.ts"

/** By a node that no control plane ever sees, and of which nothing stays: an empty one can't tell which requests are good. */
const proveElsewhere = Effect.fnUntraced(function* (ground: Ground) {
  yield* giveFile(ground)
  yield* startDataPlane(ground)
  yield* eventually(restartWithinMs, serves(ground, fileVersion))
  const proved = yield* ground.prove
  yield* ground.stage.dataPlane.stop
  yield* emptyDisk(ground)
  yield* ground.stage.setDataPlane({})
  return proved
})

const prepare: DrillStep = {
  title:
    "start a control plane and an upstream, load the configuration, kill -9 the control plane, and try each request at a node that is thrown away",
  play: (ground) =>
    Effect.gen(function* () {
      yield* Effect.all([startEcho(ground), startControlPlane(ground)], { concurrency: 2 })
      const version = yield* loadConfig(ground)
      yield* ground.stage.controlPlane.kill
      const proved = yield* proveElsewhere(ground)
      return `version ${version} is in the control plane's store, which no node has seen; ${proved}`
    })
}

const startEmpty: DrillStep = {
  title: "start a node with an empty disk: it says that it has nothing, to probes and to clients",
  play: (ground) =>
    Effect.gen(function* () {
      yield* startDataPlane(ground)
      const nothing = "no configuration available"
      yield* eventually(restartWithinMs, isUnready(ground, nothing))
      // The proxy's listeners open after the local sources were read.
      yield* eventually(restartWithinMs, servesNot(ground, fileVersion))
      yield* traffic(ground, 2, refusedWith(404, "no Route matched"))
      yield* isUnready(ground, nothing)
      return `not ready: "${nothing} …"; every request is answered 404`
    })
}

const takeItsPlace: DrillStep = {
  title: "start the control plane: its configuration takes the file's place",
  play: (ground) =>
    Effect.gen(function* () {
      const tookMs = yield* controlPlaneComes(ground, "v1")
      yield* servesNot(ground, fileVersion)
      yield* showsSource(ground, "control_plane")
      yield* eventually(reconnectWithinMs, isKept(ground))
      return `after ${seconds(tookMs)}, without a request lost in between`
    })
}

const cacheBeatsFile: DrillStep = {
  title: "kill -9 both and start the node alone: what the control plane gave beats the file",
  play: (ground) =>
    Effect.gen(function* () {
      yield* killBoth(ground)
      return `served ${seconds(yield* startAlone(ground, "v1"))} after its start`
    })
}

export const coldStart: Drill = {
  name: "cold-start",
  promise:
    "A fresh node without a control plane says honestly that it has nothing; with a declarative file it serves that; the control plane's configuration replaces it as soon as it comes, and outlives it.",
  steps: [prepare, startEmpty, startWithFile, takeItsPlace, cacheBeatsFile]
}
