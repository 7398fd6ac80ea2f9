/** The disk is full while a configuration arrives: `faults.md`, "crash between load and persist"; `life-of-a-node.md`, "The cache". */
import { Effect } from "effect"
import { eventually } from "../stage/Probe.ts"
import {
  begin,
  changeConfig,
  changeWithinMs,
  hasLogged,
  isKept,
  isReady,
  reconnectWithinMs,
  seconds,
  serves,
  shows,
  traffic
} from "./actions.ts"
import type { Drill, DrillStep } from "./Drill.ts"
import type { Ground } from "./Ground.ts"
import { controlPlaneComes, killBoth, startAlone } from "./restarts.ts"

const [former, newest] = ["v1", "v2"] as const
/** What could not be written is tried again after 1, 2, 4 … seconds, at most a minute apart. */
const persistWithinMs = 60_000

const showsFullDisk = (ground: Ground) =>
  shows(ground, "configuration.cache", (cache) => String(cache).includes("ENOSPC"), "that it is not written: ENOSPC")

const start: DrillStep = {
  title: "start everything, let traffic flow, and wait until the configuration is on disk",
  play: (ground) =>
    Effect.gen(function* () {
      const proved = yield* begin(ground)
      yield* eventually(reconnectWithinMs, isKept(ground))
      return proved
    })
}

const arrives: DrillStep = {
  title: "the disk is full, and a change arrives: it serves, and the node says that it is not kept",
  play: (ground) =>
    Effect.gen(function* () {
      yield* ground.steer({ isDiskFull: true })
      const version = yield* changeConfig(ground)
      const tookMs = yield* ground.recover("a change serves on a full disk", changeWithinMs, serves(ground, version))
      yield* eventually(changeWithinMs, showsFullDisk(ground))
      yield* hasLogged(ground, "configuration serves but can't be cached; trying again")
      yield* isReady(ground)
      yield* traffic(ground, 2)
      return `served after ${seconds(tookMs)}; the status and the log say that it is not on disk`
    })
}

const restart: DrillStep = {
  title: "kill -9 both and start the node alone, on the full disk: it serves the former configuration, whole",
  play: (ground) =>
    Effect.gen(function* () {
      yield* killBoth(ground)
      const tookMs = yield* startAlone(ground, former, "the former configuration serves")
      return `version ${former} ${seconds(tookMs)} after its start: what was on disk when the space ran out`
    })
}

const returns: DrillStep = {
  title: "start the control plane: the newest configuration serves again, and is still not kept",
  play: (ground) =>
    Effect.gen(function* () {
      const tookMs = yield* controlPlaneComes(ground, newest, "the newest configuration serves again")
      yield* eventually(changeWithinMs, showsFullDisk(ground))
      return `after ${seconds(tookMs)}`
    })
}

const spaceAgain: DrillStep = {
  title: "there is space again: the configuration is written by itself, and outlives kill -9",
  play: (ground) =>
    Effect.gen(function* () {
      yield* ground.steer({ isDiskFull: false })
      const tookMs = yield* ground.recover("the configuration is on disk", persistWithinMs, isKept(ground))
      yield* hasLogged(ground, "configuration cached at last")
      yield* killBoth(ground)
      yield* startAlone(ground, newest)
      return `${seconds(tookMs)} after there was space; restarted alone, the node serves version ${newest}`
    })
}

export const diskFull: Drill = {
  name: "disk-full",
  promise:
    "On a full disk a node takes and serves every configuration, says that it is not kept, starts with the last one that was, and writes the newest by itself once there is space.",
  steered: {
    injected: [
      "The node's file system: while the disk is full, a file that is written takes half of its bytes and then fails with ENOSPC. Files and folders are real."
    ]
  },
  steps: [start, arrives, restart, returns, spaceAgain]
}
