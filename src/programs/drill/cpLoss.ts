/** The control plane is gone: `resilience.md` §1 and §9, "CP down, DP running" and "CP down, DP restarts". */
import { Effect } from "effect"
import { eventually } from "../stage/Probe.ts"
import {
  begin,
  changeConfig,
  isKept,
  isReady,
  reconnectWithinMs,
  seconds,
  serves,
  shows,
  showsSource,
  startControlPlane,
  traffic
} from "./actions.ts"
import { billedIsServed } from "./billing.ts"
import type { Drill, DrillStep } from "./Drill.ts"
import { killBoth, startAlone } from "./restarts.ts"

/** Long enough that telemetry goes through many windows without anybody who takes it. */
const outageSeconds = 40

const lose: DrillStep = {
  title: "kill -9 the control plane: traffic goes on",
  play: (ground) =>
    Effect.gen(function* () {
      yield* ground.stage.controlPlane.kill
      yield* traffic(ground, outageSeconds)
      yield* isReady(ground)
      yield* shows(ground, "control_plane.state", (state) => state === "disconnected", "disconnected")
      return "the node is ready and says that its control plane is away"
    })
}

const comesBack = (what: string): DrillStep => ({
  title: "start the control plane again: the node finds it and takes a change",
  play: (ground) =>
    Effect.gen(function* () {
      yield* startControlPlane(ground)
      const version = yield* changeConfig(ground)
      const tookMs = yield* ground.recover(what, reconnectWithinMs, serves(ground, version))
      yield* showsSource(ground, "control_plane")
      return `connected and up to date after ${seconds(tookMs)}`
    })
})

const loseBoth: DrillStep = {
  title: "kill -9 the control plane and the node, and start the node alone: it serves from its cache",
  play: (ground) =>
    Effect.gen(function* () {
      const version = yield* changeConfig(ground)
      yield* eventually(reconnectWithinMs, serves(ground, version))
      yield* eventually(reconnectWithinMs, isKept(ground))
      yield* killBoth(ground)
      const tookMs = yield* startAlone(ground, version, "a killed node serves again from its cache")
      return `served and ready ${seconds(tookMs)} after its start, with what it had last (no traffic while it was dead)`
    })
}

export const cpLoss: Drill = {
  name: "cp-loss",
  promise:
    "A node serves on without a request lost while its control plane is dead, even when it is restarted meanwhile, has the newest configuration within 11 s of the control plane's return, and bills exactly what it served.",
  steps: [
    {
      title: "start a control plane, a node and an upstream, and let traffic flow",
      play: begin
    },
    lose,
    comesBack("the node is connected and up to date"),
    loseBoth,
    comesBack("the restarted node is connected and up to date"),
    billedIsServed
  ]
}
