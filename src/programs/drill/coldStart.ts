/** A node that has never seen a configuration: `resilience.md` §3 and §9, "CP down, new DP". */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { eventually, StepFailed } from "../stage/Probe.ts"
import {
  isKept,
  isReady,
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
import type { Drill, DrillStep } from "./Drill.ts"
import { drillRoute } from "./drillConfig.ts"
import { refusedWith } from "./Load.ts"

const fileVersion = "file"

const prepare: DrillStep = {
  title: "start a control plane and an upstream, load the configuration, and kill -9 the control plane",
  play: (ground) =>
    Effect.gen(function* () {
      yield* Effect.all([startEcho(ground), startControlPlane(ground)], { concurrency: 2 })
      const version = yield* loadConfig(ground)
      yield* ground.stage.controlPlane.kill
      return `version ${version} is in its store; no node has seen it`
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

const startWithFile: DrillStep = {
  title: "start it again with a declarative file: it serves that",
  play: (ground) =>
    Effect.gen(function* () {
      const file = join(ground.stage.directory, "declarative.json")
      const text = JSON.stringify(ground.config.document(drillRoute.path(fileVersion)), null, 2)
      yield* Effect.try({
        try: () => writeFileSync(file, text),
        catch: (cause) => new StepFailed({ reason: String(cause) })
      })
      yield* ground.load.pause
      yield* ground.stage.dataPlane.stop
      yield* ground.stage.setDataPlane({ declarative_config: file })
      const tookMs = yield* ground.recover(
        "a node with a declarative file serves it",
        restartWithinMs,
        serves(ground, fileVersion),
        startDataPlane(ground)
      )
      yield* isReady(ground)
      yield* showsSource(ground, "declarative_file")
      const proved = yield* ground.prove
      yield* traffic(ground, 2)
      return `served and ready ${seconds(tookMs)} after its start; ${proved}`
    })
}

const controlPlaneComes: DrillStep = {
  title: "start the control plane: its configuration takes the file's place",
  play: (ground) =>
    Effect.gen(function* () {
      yield* startControlPlane(ground)
      const tookMs = yield* ground.recover(
        "the control plane's configuration serves",
        reconnectWithinMs,
        serves(ground, "v1")
      )
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
      yield* ground.stage.controlPlane.kill
      yield* ground.load.pause
      yield* ground.stage.dataPlane.kill
      const tookMs = yield* ground.recover(
        "the node serves from its cache",
        restartWithinMs,
        serves(ground, "v1"),
        startDataPlane(ground)
      )
      yield* showsSource(ground, "disk")
      yield* traffic(ground, 2)
      return `served ${seconds(tookMs)} after its start`
    })
}

export const coldStart: Drill = {
  name: "cold-start",
  promise:
    "A fresh node without a control plane says honestly that it has nothing; with a declarative file it serves that; the control plane's configuration replaces it as soon as it comes, and outlives it.",
  steps: [prepare, startEmpty, startWithFile, controlPlaneComes, cacheBeatsFile]
}
